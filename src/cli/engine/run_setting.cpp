#include "cli/engine/run_setting.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "datasets/formats/format.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOther = "name another folder";

void check_takes_files(std::string_view option, const fs::path& folder) {
  std::error_code none;
  if (!fs::is_directory(folder, none)) fail(Exit::usage, option, cat("there is no folder ", folder.string()));
  check_outside_sealed(folder);
  if (access(folder.c_str(), W_OK) != 0)
    fail(Exit::usage, option, cat(folder.string(), " may not be written to"), kOther);
}

}  // namespace

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

void warn_merged_rows(const Source& source) {
  const std::int64_t pictures = std::ssize(source.pairs), again = source.rows - pictures;
  if (again <= 0) return;
  log_warning(cat(source.manifest.string(), ": ", grouped(again), " of ", grouped(source.rows),
                  again == 1 ? " rows names" : " rows name", " a picture again, which counts once: ",
                  grouped(pictures), " pictures, in the order of the rows that name them first"));
}

std::vector<std::string> given(std::vector<std::string> values) {
  std::erase(values, std::string());
  return values;
}

void check_for_manifests(std::string_view option, bool is_given, const std::vector<std::string>& data) {
  const auto is_manifest = [](const std::string& one) {
    const SourceOptions source{.data = one};
    return !is_image_folder(source) && !is_shapes(source);
  };
  if (!is_given || std::ranges::any_of(data, is_manifest)) return;
  fail(Exit::usage, option,
       data.empty() ? std::string("is for manifests of pictures")
                    : cat("is for manifests, and ", joined(data), data.size() == 1 ? " is none" : " are none"),
       "leave it out");
}

void check_for_manifests(const std::string& root, const LabelOptions& labels,
                         const std::vector<std::string>& data) {
  check_for_manifests("--root", !root.empty(), labels.texts ? std::vector<std::string>() : data);
  check_for_manifests("--concept-column", labels.concept_given && !labels.concept_column.empty(), data);
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
  const fs::path path = fs::absolute(file);
  std::error_code none;
  if (fs::is_directory(path, none)) fail(Exit::usage, option, cat(file, " is a folder"), "name a file");
  check_takes_files(option, path.parent_path());
}

void check_out_log(std::string_view option, const std::string& file) {
  std::error_code none;
  const bool is_there = !file.empty() && fs::exists(file, none) && !fs::is_directory(file, none);
  if (!is_there) return check_out(option, file);
  check_outside_sealed(file);
  if (access(file.c_str(), W_OK) != 0)
    fail(Exit::usage, option, cat(file, " may not be written to"), "name another file");
}

void check_out_folder(std::string_view option, const std::string& folder) {
  if (folder.empty()) return;
  std::error_code none;
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "birds/" names birds
  const bool is_there = fs::exists(path, none);
  if (is_there && !fs::is_directory(path, none)) fail(Exit::usage, option, cat(folder, " is a file"), kOther);
  check_takes_files(option, is_there ? path : path.parent_path());
}

void write_all(std::initializer_list<std::function<void()>> writes) {
  std::exception_ptr first;
  for (const std::function<void()>& write : writes) {
    try {
      write();
    } catch (const std::exception& error) {
      if (first) log_error(error.what());
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

bool make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) fail(Exit::failed, folder.string(), cat("cannot be made: ", error.message()));
  return made;
}

}  // namespace duet
