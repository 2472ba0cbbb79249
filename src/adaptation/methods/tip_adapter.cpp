// tip_adapter: classes' names and a cache of the support items vote together, nothing is trained (Zhang et al.
// 2022)
#include "adaptation/methods/key_cache.h"
#include "adaptation/methods/kinds.h"

namespace duet {

Adapted fit_tip_adapter(const AdaptationTask& task, const Part& support, const Part& validation,
                        std::uint64_t) {
  KeyCache cache = cache_of(task, support);
  choose_strength(cache, examples_of(cache, validation));
  nlohmann::json chosen{{"alpha", cache.alpha}, {"beta", cache.beta}};
  return {.classifier = cache_classifier(std::move(cache)), .chosen = std::move(chosen)};
}

}  // namespace duet
