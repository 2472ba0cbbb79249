#include <limits>
#include <sstream>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "tensors/tensor_file.h"
#include "text/unicode.h"

namespace duet {
namespace {

std::vector<std::string> read_lines(const std::string& file) {
  std::vector<std::string> lines;
  std::istringstream text(to_utf8(read_file(file)));
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (const auto at = invalid_utf8(line))
      fail(Exit::data, cat(file, ":", lines.size() + 1), cat("byte ", *at + 1, " is no UTF-8"),
           "save the file as UTF-8");
    lines.push_back(line);
  }
  if (lines.empty()) fail(Exit::data, file, "has no lines", "a text a line is expected");
  return lines;
}

// NumPy's format 1.0 (numpy.lib.format): magic, header length, a Python dict padded to 64 bytes, C-order data.
std::string npy_bytes(const torch::Tensor& rows) {
  std::string header =
      cat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows.size(0), ", ", rows.size(1), "), }");
  header.append(63 - (10 + header.size()) % 64, ' ').append("\n");
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(rows.data_ptr<float>()),
               static_cast<std::size_t>(rows.numel()) * sizeof(float));
  return bytes;
}

// Refused before the work, not after it.
void check_out(const fs::path& out) {
  if (out.extension() != ".npy" && out.extension() != ".safetensors") {
    fail(Exit::usage, "--out", cat("'", out.string(), "' has no known ending"),
         "allowed are .npy and .safetensors");
  }
  const fs::path folder = fs::absolute(out).parent_path();
  if (!fs::is_directory(folder)) fail(Exit::usage, "--out", cat("there is no folder ", folder.string()));
}

void write_rows(const fs::path& out, const torch::Tensor& rows) {
  if (out.extension() == ".npy") return replace_file(out, npy_bytes(rows));
  save_tensors(out, {{"embeddings", rows}});
}

}  // namespace

int run_embed(const EmbedOptions& options) {
  if (options.images.empty() == options.texts.empty())
    fail(Exit::usage, "duet embed", "needs either --images or --texts");
  check_out(options.out);
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  EmbedSetting setting = embed_setting_of(saved, options.batch);
  torch::Tensor rows;
  if (!options.texts.empty()) {
    saved.texts();
    rows = embed_texts(setting, read_lines(options.texts));
  } else {
    saved.pictures();
    setting.progress = true;
    const Source source = read_pictures(options.images, options.root, saved.recipe);
    EmbeddedImages images = embed_images(setting, source);
    warn_bad_pictures(source, images.bad);
    rows = images.rows;
    // A row a picture, so that row numbers stay those of the input; what cannot be read is not a number.
    for (const auto& [row, why] : images.bad) rows[row].fill_(std::numeric_limits<float>::quiet_NaN());
  }
  write_rows(options.out, rows.contiguous());
  log_info(cat("wrote ", rows.size(0), " x ", rows.size(1), " to ", options.out));
  return 0;
}

}  // namespace duet
