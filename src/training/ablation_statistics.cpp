#include "training/ablation_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {
namespace {

using Values = std::vector<std::vector<double>>;  // [seed][query]

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

// The mean of one split for these seeds, with as many queries drawn as there are.
double drawn_mean(const Values& values, const std::vector<std::size_t>& seeds, Random& random) {
  std::vector<double> of_query(values.front().size());
  for (const std::size_t seed : seeds) {
    for (std::size_t query = 0; query < of_query.size(); ++query) of_query[query] += values[seed][query];
  }
  double sum = 0;
  for (std::size_t draw = 0; draw < of_query.size(); ++draw) sum += of_query[random.below(of_query.size())];
  return sum / static_cast<double>(of_query.size() * seeds.size());
}

std::vector<double> resampled_means(const QueryValues& values, int resamples, std::uint64_t seed) {
  const std::size_t seeds = values.front().size();
  Random random(seed_of(seed, "paired difference"));
  std::vector<double> means;
  for (int resample = 0; resample < resamples; ++resample) {
    std::vector<std::size_t> drawn(std::max<std::size_t>(1, seeds - 1));
    for (std::size_t& one : drawn) one = random.below(seeds);
    double sum = 0;
    for (const Values& split : values) sum += drawn_mean(split, drawn, random);
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return means;
}

}  // namespace

double mean_of(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double sample_sd(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double value_of_rank(std::string_view metric, std::int64_t rank) {
  if (metric == "reciprocal_rank") return 1.0 / static_cast<double>(rank);
  const std::int64_t k = metric == "recall_at_1" ? 1 : metric == "recall_at_5" ? 5 : 10;
  return rank <= k ? 1 : 0;
}

double mean_over_splits(const QueryValues& values) {
  std::vector<double> of_split;
  for (const Values& split : values) {
    std::vector<double> of_seed;
    for (const std::vector<double>& queries : split) of_seed.push_back(mean_of(queries));
    of_split.push_back(mean_of(of_seed));
  }
  return mean_of(of_split);
}

PairedDifference paired_difference(const QueryValues& arm, const QueryValues& baseline, int resamples,
                                   std::uint64_t seed) {
  check_paired(arm, baseline);
  const QueryValues difference = minus(arm, baseline);
  std::vector<double> means = resampled_means(difference, resamples, seed);
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    return means[static_cast<std::size_t>(std::lround(share * static_cast<double>(resamples - 1)))];
  };
  // Of a resample without a difference both sides know: it speaks for none. One more on each side than was
  // drawn, as no bootstrap shows that something cannot happen (Davison and Hinkley 1997, section 4.2).
  const auto not_above = std::count_if(means.begin(), means.end(), [](double mean) { return mean <= 0; });
  const auto not_below = std::count_if(means.begin(), means.end(), [](double mean) { return mean >= 0; });
  const double tail = static_cast<double>(1 + std::min(not_above, not_below)) / (1.0 + resamples);
  return {.mean = mean_over_splits(difference),
          .low = at(.025),
          .high = at(.975),
          .p = std::min(1.0, 2 * tail),
          .seeds = static_cast<std::int64_t>(arm.front().size())};
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    most = std::max(most, static_cast<double>(p.size() - rank) * p[order[rank]]);
    adjusted[order[rank]] = std::min(1.0, most);
  }
  return adjusted;
}

}  // namespace duet
