// k nearest neighbours by cosine, votes weighted by exp(cosine / temperature) (Wu et al. 2018, section 3.4).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "evaluation/linear_probe.h"

namespace duet {

constexpr double kKnnTemperature = 0.1;
constexpr std::int64_t kKnnMost = 200;  // neighbours

struct Neighbours {
  torch::Tensor rows;     // [Q, k] int64, by (cosine descending, row ascending)
  torch::Tensor cosines;  // [Q, k] fp32
};

// gallery [N, D], queries [Q, D], fp32, row-major, of any length: they are divided by their lengths here, and
// the gallery is not copied. k is at most N. What blocked sgemm leaves undecided is computed by inner_product
// (rows.h), so that neighbours depend neither on the BLAS nor on threads nor on the size of a block.
Neighbours nearest_neighbours(const torch::Tensor& gallery, const torch::Tensor& queries, std::int64_t k);

// [Q, C]: log of a class's share of the first k neighbours' votes. A thousandth of all votes is spread over all
// classes, so that one without neighbours has a finite logit. Targets of the gallery: [N] int64, or [N, C] of 0
// and 1 (several labels an item); then each class is voted on by itself, and its logit is log(yes / no).
torch::Tensor knn_logits(const Neighbours& neighbours, const torch::Tensor& targets, std::int64_t classes,
                         std::int64_t k, double temperature = kKnnTemperature);

// The best of 1, 2, 5, 10, 20, 50, 100, 200 neighbours on items held out; of equals the most.
struct ChosenK {
  std::int64_t k = 1;
  Judgement judgement;
  std::vector<std::pair<std::int64_t, Judgement>> tried = {};  // ascending
};
ChosenK choose_k(const torch::Tensor& gallery, const torch::Tensor& targets, std::int64_t classes,
                 const torch::Tensor& validation, const torch::Tensor& validation_targets);

}  // namespace duet
