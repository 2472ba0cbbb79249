// Small parameters trained on frozen features: epochs are judged on the validation part, all of them or
// forty, and the best one is kept.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "adaptation/method.h"

namespace duet {

struct Examples {
  torch::Tensor rows;    // [n, D]
  torch::Tensor labels;  // [n] int64
};

struct FeatureTraining {
  double lr = 1e-3, eps = 1e-8, weight_decay = .01;  // AdamW, cosine down to zero
  std::int64_t epochs = 20, batch = 256;
};

struct BestEpoch {
  std::int64_t epoch = 0;  // 0: the values that it started from
  Verdict verdict;
};

// Cross entropy of logits(rows [b, D]) -> [b, C] over the support part, by AdamW on `parameters`, leaves that
// the logits depend on; they end with the values of the best epoch. The order of the items is a function of the
// seed.
BestEpoch train_on_features(const std::vector<torch::Tensor>& parameters, const FeatureTraining& options,
                            const Examples& support, const Examples& validation, std::uint64_t seed,
                            const std::function<torch::Tensor(const torch::Tensor& rows)>& logits);

// d loss / d parameters alone: what else the loss depends on gets no gradient, so that a frozen tower stays as
// it is.
void set_gradients(const torch::Tensor& loss, const std::vector<torch::Tensor>& parameters);

}  // namespace duet
