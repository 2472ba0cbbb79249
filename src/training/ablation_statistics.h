// How sure a difference between two arms is, when both seeds and queries are samples.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "retrieval/resampling.h"

namespace duet {

// What one query is worth: recall_at_1 | recall_at_5 | recall_at_10 (0 or 1) | reciprocal_rank.
double value_of_rank(std::string_view metric, std::int64_t rank);

struct ArmDifference {
  double mean = 0, low = 0, high = 0;  // 95 %
  double p = 1;                        // two-sided, of no difference
  std::int64_t seeds = 0;
};

// Arm minus baseline: the same seeds and the same queries on both sides, [split][seed][query] alike (asserted
// by Error(failed)); a sampled_mean.
ArmDifference paired_difference(const QueryValues& arm, const QueryValues& baseline, int resamples = 2000,
                                std::uint64_t seed = 1);

}  // namespace duet
