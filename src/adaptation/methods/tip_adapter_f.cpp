// tip_adapter_f: Tip-Adapter whose keys are learned, from the support items on (Zhang et al. 2022, section 3.3)
#include "adaptation/methods/key_cache.h"
#include "adaptation/methods/kinds.h"

namespace duet {

Adapted fit_tip_adapter_f(const AdaptationTask& task, const Part& support, const Part& validation,
                          std::uint64_t seed) {
  KeyCache plain = cache_of(task, support);
  const Examples shown = examples_of(plain, support), asked = examples_of(plain, validation);
  const Verdict before = choose_strength(plain, asked);
  KeyCache learned = plain;
  learned.keys = plain.keys.clone();
  if (learned.alpha == 0) learned.alpha = KeyCache{}.alpha;  // keys that do not count cannot learn
  const BestEpoch best =
      train_on_features({learned.keys}, {.lr = 1e-3, .eps = 1e-4, .epochs = 20, .batch = 256}, shown, asked,
                        seed_of(seed, "tip_adapter_f"),
                        [&learned](const torch::Tensor& rows) { return logits_of(learned, rows); });
  const bool helped = choose_strength(learned, asked).better_than(before);
  KeyCache& cache = helped ? learned : plain;
  nlohmann::json chosen{{"epoch", helped ? best.epoch : 0}, {"alpha", cache.alpha}, {"beta", cache.beta}};
  return {.classifier = cache_classifier(std::move(cache)), .chosen = std::move(chosen)};
}

}  // namespace duet
