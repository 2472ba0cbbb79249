// How good a simple classifier on frozen features gets: k-NN, logistic regression or ridge, its settings chosen
// on validation items, then learned from train and validation together. What is asked comes without labels.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/linear_probe.h"

namespace duet {

// What frozen towers say of some items (features.h), and of those that are learned from what they are.
struct ProbeItems {
  torch::Tensor tower, rows;  // [N, F]; [N, D] or undefined
  torch::Tensor targets;      // [N] int64 classes, or [N, C] 0 and 1 where items have several labels
};

struct ProbeOptions {
  std::string kind;          // knn | linear_probe | ridge
  std::int64_t classes = 2;  // at least two
  std::int64_t k = 0;        // of knn; 0: chosen
};

struct FittedProbe {
  nlohmann::json chosen;  // {"input": tower | rows, "C" | "alpha" | "k": number, "validation_accuracy": ...}
  // [N, C] fp32 of items that it is asked about, calibrated on the validation items.
  std::function<torch::Tensor(const ProbeItems& asked)> logits = {};
  // The same of the chosen input, where the classifier is a linear map: not of knn.
  std::optional<LinearProbe> map = {};
};

// Error(usage): k larger than train has items.
FittedProbe fit_probe(const ProbeOptions& options, const ProbeItems& train, const ProbeItems& validation);

}  // namespace duet
