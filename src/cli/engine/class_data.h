// The labelled data of `duet evaluate --task`: read once and checked whole, before any tower looks at it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "datasets/labelled.h"
#include "evaluation/zero_shot.h"

namespace duet {

inline bool learns(std::string_view task) { return task != "zero_shot"; }
inline bool trains_a_tower(std::string_view task) {
  return task == "lora" || task == "fine_tune" || task == "wise_ft";
}

struct LabelledSplit {
  std::string name, data;
  Labelled items;
};

// What a classifier, or the baseline, learns from. Without a validation there, it is a part of train.
struct LearnedItems {
  Labelled train;
  std::optional<Labelled> validation;
};

// What is asked by the names of its classes, and what tells the scale of the answers.
struct NamedSplit {
  LabelledSplit split;
  std::vector<ClassNames> names;
  std::optional<Labelled> validation;
};

struct ClassData {
  std::vector<LabelledSplit> splits;    // where a task learns: in the classes of --train
  std::optional<LearnedItems> learned;  // where there is --train
  std::vector<NamedSplit> named;        // where a task is zero_shot; where another one learns: in its classes
};
ClassData read_class_data(const EvaluateOptions& options, const std::vector<std::string>& tasks);

}  // namespace duet
