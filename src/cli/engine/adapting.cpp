#include "cli/engine/adapting.h"

#include <unistd.h>

#include <algorithm>

#include "adaptation/network_classifier.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/zero_shot.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

// The classes' names, in their order.
std::vector<ClassNames> names_of(const std::string& file, const std::vector<std::string>& classes) {
  if (file.empty()) return class_names_of(classes);
  const std::vector<ClassNames> all = read_class_names(file);
  std::vector<ClassNames> names;
  for (const std::string& label : classes) {
    const auto found = std::ranges::find(all, label, &ClassNames::label);
    if (found == all.end())
      fail(Exit::data, file, cat("has no line for class '", label, "'"),
           "a line is the label, or the label, a tab and its names");
    names.push_back(*found);
  }
  return names;
}

}  // namespace

bool compares_names(const SavedModel& saved, bool pairs_of_texts) {
  return !pairs_of_texts && saved.tokenizer && saved.model->text && saved.model->retrieval_dimension() > 0;
}

AdaptationTask adaptation_task(const SavedModel& saved, const EmbedSetting& setting,
                               const std::vector<std::string>& classes, bool are_named,
                               const TaskNames& names) {
  AdaptationTask task{.classes = static_cast<std::int64_t>(classes.size()),
                      .name_vectors = {},
                      .names = {},
                      .templates = read_templates(names.templates),
                      .saved = &saved,
                      .setting = setting};
  if (!are_named) return task;
  task.names = names_of(names.file, classes);
  task.name_vectors = name_vectors(setting, saved, task.names, task.templates, names.cache);
  task.logit_scale = logit_scale_of(*saved.model);
  return task;
}

void check_kept_folder(const std::string& folder) {
  if (folder.empty()) return;
  constexpr const char* kOther = "name another folder";
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // "birds/"
  check_out("--save", path.string());
  std::error_code none;
  const bool is_there = fs::exists(path, none);
  if (is_there && !fs::is_directory(path, none)) fail(Exit::usage, "--save", cat(folder, " is a file"), kOther);
  const fs::path place = is_there ? path : path.parent_path();
  if (access(place.c_str(), W_OK) != 0)
    fail(Exit::usage, "--save", cat(place.string(), " may not be written to"), kOther);
  for (const char* part : {"classifier", "model"}) {
    if (fs::exists(path / part, none))
      fail(Exit::usage, "--save", cat((fs::path(folder) / part).string(), " is there already"), kOther);
  }
}

void keep_classifier(const std::string& folder, const SavedClassifier& kept, const SavedModel& saved,
                     const std::string& run, const std::string& of) {
  save_classifier(folder, kept, saved);
  if (kept.classifier->kind() == "network") write_adapted_model(folder, *kept.classifier, saved);
  log_info(cat("wrote ", folder, ": ", kept.method, " of ", of, "; use it by duet classify ", run, " --model ",
               folder));
}

}  // namespace duet
