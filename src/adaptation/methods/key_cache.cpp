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

}  // namespace

KeyCache cache_of(const AdaptationTask& task, const Part& support) {
  KeyCache cache;
  cache.input = support.rows.defined() ? "rows" : "tower";
  cache.keys = unit_input_of(support, cache.input).clone();
  cache.values = at::one_hot(support.labels, task.classes).to(torch::kFloat);
  cache.class_vectors = support.rows.defined() ? task.class_vectors : torch::Tensor();
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
  if (cache.class_vectors.defined()) told = validation.rows.matmul(cache.class_vectors.t()) * cache.logit_scale;
  Verdict best;
  const auto offer = [&](const torch::Tensor& logits, double alpha, double beta) {
    const Verdict verdict = judged(logits, validation.labels);
    if (!verdict.better_than(best)) return;
    best = verdict;
    cache.alpha = alpha;
    cache.beta = beta;
  };
  if (told.defined()) offer(told, 0, KeyCache{}.beta);
  for (const double beta : kBetas) {
    const auto votes = at::exp(distance * -beta).matmul(cache.values);
    for (const double alpha : kAlphas)
      offer(told.defined() ? told + votes * alpha : votes * alpha, alpha, beta);
  }
  return best;
}

}  // namespace duet
