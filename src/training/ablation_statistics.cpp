#include "training/ablation_statistics.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {
namespace {

void check_paired(const QueryValues& arm, const QueryValues& baseline) {
  const auto refuse = [](std::string_view what) {
    fail(Exit::failed, "paired difference", what, "both sides need the same splits, seeds and queries");
  };
  if (arm.empty() || arm.size() != baseline.size()) refuse("other splits");
  for (std::size_t split = 0; split < arm.size(); ++split) {
    if (arm[split].empty() || arm[split].size() != arm[0].size() || arm[split].size() != baseline[split].size())
      refuse("another number of seeds");
    for (std::size_t seed = 0; seed < arm[split].size(); ++seed) {
      const std::size_t queries = arm[split][0].size();
      if (queries == 0 || arm[split][seed].size() != queries || baseline[split][seed].size() != queries)
        refuse("another number of queries");
    }
  }
}

QueryValues minus(const QueryValues& arm, const QueryValues& baseline) {
  QueryValues difference = arm;
  for (std::size_t split = 0; split < arm.size(); ++split) {
    for (std::size_t seed = 0; seed < arm[split].size(); ++seed) {
      for (std::size_t query = 0; query < arm[split][seed].size(); ++query)
        difference[split][seed][query] -= baseline[split][seed][query];
    }
  }
  return difference;
}

}  // namespace

double value_of_rank(std::string_view metric, std::int64_t rank) {
  if (metric == "reciprocal_rank") return 1.0 / static_cast<double>(rank);
  const std::int64_t k = metric == "recall_at_1" ? 1 : metric == "recall_at_5" ? 5 : 10;
  return rank <= k ? 1 : 0;
}

ArmDifference paired_difference(const QueryValues& arm, const QueryValues& baseline, int resamples,
                                std::uint64_t seed) {
  check_paired(arm, baseline);
  const SampledMean found = sampled_mean(minus(arm, baseline), seed_of(seed, "paired difference"), resamples);
  return {.mean = found.mean,
          .low = found.low,
          .high = found.high,
          .p = found.p,
          .seeds = static_cast<std::int64_t>(arm.front().size())};
}

}  // namespace duet
