// What the commands that use a saved model share.
#pragma once
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "datasets/labelled.h"
#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

// max_bad_fraction < 0: the recipe's; threads 0: one a core.
EmbedSetting embed_setting_of(const SavedModel& saved, int batch, double max_bad_fraction, int threads = 0);
// One warning: how many pictures cannot be read, what becomes of them, and the first ten with why.
void warn_bad_pictures(const Source& source, const BadRows& bad, std::string_view fate = "left out");
// One warning where rows of a manifest name a picture again, so that its rows are not those of what is written.
void warn_merged_rows(const Source& source);
// Error(usage) where an option for manifests (with a value: `is_given`) meets none among `data`.
void check_for_manifests(std::string_view option, bool is_given, const std::vector<std::string>& data);
// --root and --concept-column.
void check_for_manifests(const std::string& root, const LabelOptions& labels,
                         const std::vector<std::string>& data);
// Those that are not empty.
std::vector<std::string> given(std::vector<std::string> values);
// --images: a manifest or a folder; captions are kept where there are some.
Source read_pictures(const std::string& images, const std::string& root, const Recipe& recipe);
// Items with classes: a manifest or a folder of folders, read by the command's columns.
Labelled read_items(const std::string& data, const std::string& root, const LabelOptions& labels);
// The lines of a text file, "-": of standard input, without their ends. Error(data): none, no UTF-8.
std::vector<std::string> read_lines(const std::string& file);
// Where a run (or bundle) keeps what takes time to compute; "", said with -v, where nothing may be added.
std::filesystem::path cache_folder(const std::filesystem::path& run);
// Error(usage) when a file to write (none: "") is a folder, or would have no folder, a sealed one, or one that
// takes no files: before the work, not after it.
void check_out(std::string_view option, const std::string& file);
// The same of a file that is added to where it is there: then its folder need not take files.
void check_out_log(std::string_view option, const std::string& file);
// The same of a folder to make or to add to.
void check_out_folder(std::string_view option, const std::string& folder);
// All of them are done, also where one fails: the first failure is thrown in the end, others are logged.
void write_all(std::initializer_list<std::function<void()>> writes);
// Makes a folder for results and what lies above it; whether it was not there. Error(failed).
bool make_folder(const std::filesystem::path& folder);

}  // namespace duet
