#include "cli/engine/adapting.h"

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

void check_takes_names(const TaskNames& names, const SavedModel& saved, const std::string& run,
                       bool pairs_of_texts) {
  const bool has_file = !names.file.empty();
  if ((!has_file && names.templates == TaskNames{}.templates) || compares_names(saved, pairs_of_texts)) return;
  fail(Exit::usage, has_file ? "--labels" : "--templates",
       pairs_of_texts ? std::string("pairs of texts have no place beside the name of a class")
                      : cat(run, " compares nothing with the name of a class"),
       "leave it out: classes are told apart by their examples");
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
  check_out_folder("--save", folder);
  std::error_code none;
  for (const char* part : {"classifier", "model"}) {
    if (!folder.empty() && fs::exists(fs::path(folder) / part, none))
      fail(Exit::usage, "--save", cat((fs::path(folder) / part).string(), " is there already"),
           "name another folder");
  }
}

void keep_classifier(const std::string& folder, const SavedClassifier& kept, const SavedModel& saved,
                     const std::string& run, const std::string& of) {
  make_folder(folder);
  save_classifier(folder, kept, saved);
  if (kept.classifier->kind() == "network") write_adapted_model(folder, *kept.classifier, saved);
  log_info(cat("wrote ", folder, ": ", kept.method, " of ", of, "; use it by duet classify ", run, " --model ",
               folder));
}

}  // namespace duet
