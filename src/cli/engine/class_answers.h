// A run that is asked for classes: by their names, by a classifier on its frozen features, or with a tower that
// learns.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "adaptation/saved_classifier.h"
#include "cli/engine/class_data.h"
#include "evaluation/embed.h"
#include "evaluation/probe.h"
#include "run/saved_model.h"

namespace duet {

struct Evaluation {
  const EvaluateOptions& options;
  std::string run, task;  // those of the options, or those that they are compared with
  std::shared_ptr<const SavedModel> saved;
  EmbedSetting setting;
  std::filesystem::path cache;
  bool several() const { return !options.labels.separator.empty(); }
};
// Error(usage): the run lacks what the task asks for.
Evaluation load_evaluation(const EvaluateOptions& options);
// The run and task that they are compared with. Error(usage) also: it is the same model with the same task.
Evaluation load_other(const Evaluation& ours);

// Items with what the frozen towers say of them, where that is asked for; unreadable pictures are left out.
struct Seen {
  std::string name;
  Labelled items;
  torch::Tensor tower, rows;
};

struct Learned {
  Seen train, validation;
};
// What a task learns from, or the baseline that corrupted pictures are held against: no tower looks at that.
std::optional<Learned> learned_of(const Evaluation& run, const ClassData& data);

// [N] int64 classes; of several labels an item [N, C] of 0 and 1.
torch::Tensor targets_of(const Labelled& items, bool several);

// A classifier asked about one split.
struct Answered {
  Seen asked;
  std::string data;
  torch::Tensor logits;
  nlohmann::json chosen;
  std::function<torch::Tensor(const Seen&)> ask;  // about any items; reads no labels
  bool reads_features = true;                     // of frozen towers; else Seen::items alone
  std::shared_ptr<const SavedClassifier> kept;    // what --save keeps; none of zero_shot, knn, several labels
};
std::vector<Answered> answers_of(const Evaluation& run, const ClassData& data,
                                 const std::optional<Learned>& learned);
// Logits of others, which can all be read.
torch::Tensor answers_about(const Evaluation& run, const Answered& one, Labelled others);

}  // namespace duet
