// What duet fewshot and duet evaluate share of the methods of adaptation/method.h: what they are given to
// learn, and what is kept of a classifier.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "adaptation/method.h"
#include "adaptation/saved_classifier.h"

namespace duet {

struct TaskNames {
  std::string file = {}, templates = "simple";  // --labels, "": the labels are the names; --templates
  std::filesystem::path cache = {};             // as name_vectors has it
};
// Whether names of classes are in one space with such items.
bool compares_names(const SavedModel& saved, bool pairs_of_texts);
// Error(usage) where names are given, and nothing is compared with the name of a class.
void check_takes_names(const TaskNames& names, const SavedModel& saved, const std::string& run,
                       bool pairs_of_texts);
// Of classes in their order, with their names where `are_named`. `saved` outlives it.
AdaptationTask adaptation_task(const SavedModel& saved, const EmbedSetting& setting,
                               const std::vector<std::string>& classes, bool are_named, const TaskNames& names);

// --save FOLDER ("": none), before the work: Error(usage) where it would have no place, or holds something
// already.
void check_kept_folder(const std::string& folder);
// FOLDER/classifier, and FOLDER/model where a tower has learned. `of`: what it learned from, for the log.
void keep_classifier(const std::string& folder, const SavedClassifier& kept, const SavedModel& saved,
                     const std::string& run, const std::string& of);

}  // namespace duet
