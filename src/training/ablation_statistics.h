// How sure a difference between two arms is, when both seeds and queries are samples.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace duet {

double mean_of(std::span<const double> values);  // 0 without values
// Around the mean, divided by n - 1; 0 for fewer than two.
double sample_sd(std::span<const double> values);

// What one query is worth: recall_at_1 | recall_at_5 | recall_at_10 (0 or 1) | reciprocal_rank.
double value_of_rank(std::string_view metric, std::int64_t rank);

// [split][seed][query]
using QueryValues = std::vector<std::vector<std::vector<double>>>;

// A mean over splits, of each the mean over seeds and queries.
double mean_over_splits(const QueryValues& values);

struct PairedDifference {
  double mean = 0, low = 0, high = 0;  // 95 %
  double p = 1;                        // two-sided, of no difference
  std::int64_t seeds = 0;
};

// Arm minus baseline: the same seeds and the same queries on both sides, [split][seed][query] alike (asserted
// by Error(failed)). Seeds and queries are drawn again independently of each other (the pigeonhole bootstrap,
// Owen 2007); of n seeds n - 1 are drawn, which makes the variance of their mean unbiased however few they are
// (McCarthy and Snowden 1985). One seed is drawn as it is: then the interval is over queries alone.
PairedDifference paired_difference(const QueryValues& arm, const QueryValues& baseline, int resamples = 2000,
                                   std::uint64_t seed = 1);

// Adjusted so that the chance of any false finding among all of them stays at the level (Holm 1979).
std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace duet
