#include <limits>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

// A row a line, so a line without a piece of text is refused: its row would be no unit vector.
std::vector<std::string> read_texts(const std::string& file, const Tokenizer& tokenizer) {
  std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (tokenizer.encode(lines[i]).empty())
      fail(Exit::data, cat(file == "-" ? "standard input" : file, ":", i + 1), "a line without text",
           "a text a line is expected");
  }
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

void check_array(const fs::path& out) {
  if (out.extension() != ".npy" && out.extension() != ".safetensors") {
    fail(Exit::usage, "--out", cat("'", out.string(), "' has no known ending"),
         "allowed are .npy and .safetensors");
  }
  check_out("--out", out.string());
}

void write_rows(const fs::path& out, const torch::Tensor& rows) {
  if (out.extension() == ".npy") return replace_file(out, npy_bytes(rows));
  const fs::path temporary = temporary_beside(out);  // an earlier file stays until this one is whole
  std::error_code error;
  try {
    save_tensors(temporary, {{"embeddings", rows}});
    fs::rename(temporary, out, error);
    if (error) fail(Exit::failed, out.string(), cat("cannot be put in place: ", error.message()));
  } catch (...) {
    fs::remove(temporary, error);
    throw;
  }
}

}  // namespace

int run_embed(const EmbedOptions& options) {
  if (options.images.empty() == options.texts.empty())
    fail(Exit::usage, "duet embed", "needs either --images or --texts");
  check_array(options.out);
  check_for_manifests("--root", !options.root.empty(), given({options.images}));
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction, options.threads);
  if (!options.features && saved.recipe.model.spaces.empty())
    fail(Exit::usage, saved.folder.string(), "is one tower, and so has no embedding space", "give --features");
  torch::Tensor rows;
  if (!options.texts.empty() && options.features) {
    rows = text_features(setting, read_texts(options.texts, saved.texts()));
  } else if (!options.texts.empty()) {
    rows = embed_texts(setting, read_texts(options.texts, saved.texts()));
    // A text of pieces that no caption had is zero in a ridge space, and shorter as a whole.
    rows = rows / rows.norm(2, 1, true).clamp_min(1e-12);
  } else {
    saved.pictures();
    setting.progress = true;
    const Source source = read_pictures(options.images, options.root, saved.recipe);
    warn_merged_rows(source);
    EmbeddedImages images = embed_images(setting, source, options.features);
    warn_bad_pictures(source, images.bad, "rows of NaN");
    rows = options.features ? images.features.narrow(1, 0, saved.model->image->width()) : images.rows;
    // A row a picture, as they were read; what cannot be read is not a number.
    for (const auto& [row, why] : images.bad) rows[row].fill_(std::numeric_limits<float>::quiet_NaN());
  }
  write_rows(options.out, rows.contiguous());
  log_info(cat("wrote ", rows.size(0), " x ", rows.size(1), " to ", options.out));
  return 0;
}

}  // namespace duet
