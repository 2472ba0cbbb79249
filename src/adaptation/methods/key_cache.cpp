#include "adaptation/methods/key_cache.h"

#include <ATen/ops/exp.h>
#include <ATen/ops/one_hot.h>

#include <array>

namespace duet {
namespace {

// Votes fall to 1/e at a cosine distance of 1 / beta: from "all of the cache votes" to near duplicates alone.
constexpr std::array kBetas{.5, 1., 2., 3.5, 5.5, 8., 12., 20., 32., 50., 80.};
// Logits that a perfect match is worth.
constexpr std::array kAlphas{.1, .2, .35, .6, 1., 1.7, 3., 5., 8., 13., 20., 35., 60.};

// Every second place of the grid is tried, then what lies around the best one.
struct Places {
  std::size_t first = 0, last = 0, step = 1;
};
Places around(std::size_t place, std::size_t count) {
  return {.first = place - std::min<std::size_t>(place, 1), .last = std::min(place + 1, count - 1)};
}

}  // namespace

KeyCache cache_of(const AdaptationTask& task, const Part& support) {
  KeyCache cache;
  cache.input = support.rows.defined() ? "rows" : "tower";
  cache.keys = unit_input_of(support, cache.input).clone();
  cache.values = at::one_hot(support.labels, task.classes).to(torch::kFloat);
  if (support.rows.defined()) cache.names = task.name_vectors;
  cache.logit_scale = task.logit_scale;
  return cache;
}

Examples examples_of(const KeyCache& cache, const Part& items) {
  return {.rows = unit_input_of(items, cache.input), .labels = items.labels};
}

Verdict choose_strength(KeyCache& cache, const Examples& validation) {
  const torch::NoGradGuard no_grad;
  // Cosines and class logits are the same for all that is tried.
  const auto distance = 1 - validation.rows.matmul(cache.keys.t());  // [n, k]
  torch::Tensor told;                                                // [n, C]
  if (cache.names.defined()) told = name_logits(validation.rows, cache.names, cache.logit_scale);
  Verdict best;
  std::size_t best_beta = 0, best_alpha = 0;
  if (told.defined()) {
    best = judged(told, validation.labels);
    cache.alpha = 0;
    cache.beta = KeyCache{}.beta;
  }
  const auto try_grid = [&](Places betas, Places alphas) {
    for (std::size_t b = betas.first; b <= betas.last; b += betas.step) {
      const auto votes = at::exp(distance * -kBetas[b]).matmul(cache.values);
      for (std::size_t a = alphas.first; a <= alphas.last; a += alphas.step) {
        const auto cast = votes * kAlphas[a];
        const Verdict verdict = judged(told.defined() ? told + cast : cast, validation.labels);
        if (!verdict.better_than(best)) continue;
        best = verdict;
        cache.beta = kBetas[best_beta = b];
        cache.alpha = kAlphas[best_alpha = a];
      }
    }
  };
  try_grid({.last = kBetas.size() - 1, .step = 2}, {.last = kAlphas.size() - 1, .step = 2});
  try_grid(around(best_beta, kBetas.size()), around(best_alpha, kAlphas.size()));
  return best;
}

}  // namespace duet
