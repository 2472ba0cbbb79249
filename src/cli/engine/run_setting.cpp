#include "cli/engine/run_setting.h"

#include <unistd.h>

#include <iostream>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "datasets/formats/format.h"

namespace duet {

EmbedSetting embed_setting_of(const SavedModel& saved, int batch, double max_bad_fraction, int threads) {
  set_compute_threads(threads);
  EmbedSetting setting = embed_setting_of(saved);
  setting.batch = batch;
  setting.bad_pictures.key = "--max-bad-fraction";
  if (max_bad_fraction >= 0) setting.bad_pictures.fraction = max_bad_fraction;
  return setting;
}

void warn_bad_pictures(const Source& source, const BadRows& bad, std::string_view fate) {
  if (bad.empty()) return;
  std::vector<std::string> list;
  for (const auto& [row, why] : bad)
    list.push_back(cat(source.pairs[static_cast<std::size_t>(row)].image, ": ", why));
  log_warning(bad_picture_list(list, source.pairs.size(), fate));
}

Source read_pictures(const std::string& images, const std::string& root, const Recipe& recipe) {
  SourceOptions options{.data = images, .root = root};
  options.image_column = recipe.data.train.image_column;
  options.concept_column = recipe.data.train.concept_column;
  return read_source(options, false);
}

Labelled read_items(const std::string& data, const std::string& root, const LabelOptions& labels) {
  return read_labelled({.data = data,
                        .root = root,
                        .label_column = labels.label_column,
                        .concept_column = labels.concept_column,
                        .concept_required = labels.concept_given,
                        .texts = labels.texts,
                        .text_column = labels.text_column,
                        .second_column = labels.second_column,
                        .separator = labels.separator});
}

std::vector<std::string> read_lines(const std::string& file) {
  const bool from_stdin = file == "-";
  const std::string name = from_stdin ? "standard input" : file;
  std::istringstream text(
      text_of(from_stdin ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : read_bytes(file), name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  if (lines.empty()) fail(Exit::data, name, "has no lines", "a text a line is expected");
  return lines;
}

std::filesystem::path cache_folder(const std::filesystem::path& run) {
  const std::filesystem::path folder = run / "cache";
  try {
    check_outside_sealed(folder);
  } catch (const Error& sealed) {
    log_debug(cat("no cache: ", sealed.what()));
    return {};
  }
  if (access(run.c_str(), W_OK) == 0) return folder;
  log_debug(cat("no cache: ", run.string(), " is not to be written to"));
  return {};
}

void check_out(std::string_view option, const std::string& file) {
  if (file.empty()) return;
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  std::error_code none;
  if (!std::filesystem::is_directory(folder, none))
    fail(Exit::usage, option, cat("there is no folder ", folder.string()));
  check_outside_sealed(file);
}

bool make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) fail(Exit::failed, folder.string(), cat("cannot be made: ", error.message()));
  return made;
}

}  // namespace duet
