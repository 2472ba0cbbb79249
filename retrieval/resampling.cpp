#include "retrieval/resampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.h"

namespace duet {
namespace {

using Values = std::vector<std::vector<double>>;  // [seed][query]

// The mean of one split for these seeds, with as many queries drawn as there are.
double drawn_mean(const Values& values, const std::vector<double>& sizes, const std::vector<std::size_t>& seeds,
                  Random& random) {
  std::vector<double> of_query(values.front().size());
  for (const std::size_t seed : seeds) {
    for (std::size_t query = 0; query < of_query.size(); ++query) of_query[query] += values[seed][query];
  }
  double sum = 0, items = 0;
  for (std::size_t draw = 0; draw < of_query.size(); ++draw) {
    const std::size_t query = random.below(of_query.size());
    sum += of_query[query];
    items += sizes.empty() ? 1 : sizes[query];
  }
  return sum / (items * static_cast<double>(seeds.size()));
}

std::vector<double> resampled_means(const QueryValues& values, const std::vector<std::vector<double>>& sizes,
                                    std::uint64_t seed, int resamples) {
  static const std::vector<double> kOneEach;
  const std::size_t seeds = values.front().size();
  Random random(seed);
  std::vector<double> means;
  for (int resample = 0; resample < resamples; ++resample) {
    std::vector<std::size_t> drawn(std::max<std::size_t>(1, seeds - 1));
    for (std::size_t& one : drawn) one = random.below(seeds);
    double sum = 0;
    for (std::size_t split = 0; split < values.size(); ++split)
      sum += drawn_mean(values[split], sizes.empty() ? kOneEach : sizes[split], drawn, random);
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return means;
}

double mean_over_items(const QueryValues& values, const std::vector<std::vector<double>>& sizes) {
  if (sizes.empty()) return mean_over_splits(values);
  std::vector<double> of_split;
  for (std::size_t split = 0; split < values.size(); ++split) {
    double sum = 0;
    for (const std::vector<double>& queries : values[split])
      sum += std::accumulate(queries.begin(), queries.end(), 0.0);
    const double items = std::accumulate(sizes[split].begin(), sizes[split].end(), 0.0);
    of_split.push_back(sum / (items * static_cast<double>(values[split].size())));
  }
  return mean_of(of_split);
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

double mean_over_splits(const QueryValues& values) {
  std::vector<double> of_split;
  for (const Values& split : values) {
    std::vector<double> of_seed;
    for (const std::vector<double>& queries : split) of_seed.push_back(mean_of(queries));
    of_split.push_back(mean_of(of_seed));
  }
  return mean_of(of_split);
}

SampledMean sampled_mean(const QueryValues& values, std::uint64_t seed, int resamples,
                         const std::vector<std::vector<double>>& sizes) {
  std::vector<double> means = resampled_means(values, sizes, seed, resamples);
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    return means[static_cast<std::size_t>(std::lround(share * static_cast<double>(resamples - 1)))];
  };
  // A resample of mean 0 speaks for neither side. One more on each side than was drawn, as no bootstrap shows
  // that something cannot happen (Davison and Hinkley 1997, section 4.2).
  const auto not_above = std::count_if(means.begin(), means.end(), [](double mean) { return mean <= 0; });
  const auto not_below = std::count_if(means.begin(), means.end(), [](double mean) { return mean >= 0; });
  const double tail = static_cast<double>(1 + std::min(not_above, not_below)) / (1.0 + resamples);
  return {
      .mean = mean_over_items(values, sizes), .low = at(.025), .high = at(.975), .p = std::min(1.0, 2 * tail)};
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
