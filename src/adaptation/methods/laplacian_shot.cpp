// laplacian_shot: tip_adapter, and what is asked together has a say: near items have near answers
// (LaplacianShot, Ziko et al. 2020)
#include "adaptation/methods/key_cache.h"
#include "adaptation/methods/kinds.h"
#include "adaptation/smoothed_classifier.h"

namespace duet {

// Of what is asked nothing is known yet, and a validation part of some items a class has no neighbours of one
// kind: how much neighbours count is fixed, and validation says what it says of the cache.
Adapted fit_laplacian_shot(const AdaptationTask& task, const Part& support, const Part& validation,
                           std::uint64_t) {
  KeyCache cache = cache_of(task, support);
  const Verdict verdict = choose_strength(cache, examples_of(cache, validation));
  nlohmann::json chosen{{"alpha", cache.alpha}, {"beta", cache.beta}};
  Smoothing smoothing{.input = cache.input};
  std::unique_ptr<Classifier> inner = cache_classifier(std::move(cache));
  smoothing.scale = calibrated_scale(inner->logits(validation), validation.labels);
  return {.classifier = smoothed_classifier(std::move(inner), std::move(smoothing)),
          .chosen = std::move(chosen),
          .validated = verdict};
}

}  // namespace duet
