// What the two Tip-Adapters share: the cache of a support part, and how much it counts.
#pragma once
#include "adaptation/classifiers.h"
#include "adaptation/methods/feature_training.h"

namespace duet {

// Keys are the support's rows (the tower's features of length one where there are no rows), values their
// classes. Without names the cache stands alone.
KeyCache cache_of(const AdaptationTask& task, const Part& support);
// The rows that a cache compares with its keys, and their labels.
Examples examples_of(const KeyCache& cache, const Part& items);

// Sets alpha and beta to what the validation part is told best with. alpha = 0, zero-shot, is among what is
// tried where there are names.
Verdict choose_strength(KeyCache& cache, const Examples& validation);

}  // namespace duet
