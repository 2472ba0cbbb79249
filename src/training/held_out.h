// How the objectives do on pairs that they are not trained on: each one's own loss and metrics.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "losses/objective.h"
#include "run/recipe.h"

namespace duet {

using HeldOutMetrics = std::map<std::string, std::map<std::string, double>>;  // objective -> metric -> mean

struct HeldOutSetting {
  const Recipe* recipe = nullptr;
  Model* model = nullptr;  // in evaluation mode
  const std::vector<std::shared_ptr<Objective>>* objectives = nullptr;
  const Tokenizer* tokenizer = nullptr;
  std::string source = "pairs";  // whose objectives
  std::int64_t batches =
      0;            // at least so many, smaller than in training, where there are rows; 0: as in training
  Compute compute;  // its seed is set for each batch
  StepInfo info;    // objectives without a weight at this step are left out
};

// Objective -> metric -> its value in each batch.
using HeldOutBatches = std::map<std::string, std::map<std::string, std::vector<double>>>;

// Batches of the split, in its order, at most 2,048 rows of it; the same views, captions and masks each time.
// Empty when the split holds fewer than two rows.
HeldOutBatches held_out_batches(const HeldOutSetting& setting, const Source& split);
// Their means.
HeldOutMetrics held_out_metrics(const HeldOutSetting& setting, const Source& split);
// The objectives' losses, weighted as in training.
double total_loss(const HeldOutSetting& setting, const HeldOutMetrics& metrics);

}  // namespace duet
