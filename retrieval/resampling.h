// Means whose values are samples twice over, of seeds and of questions, and how sure they are: the pigeonhole
// bootstrap (Owen 2007).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace duet {

double mean_of(std::span<const double> values);  // 0 without values
// Around the mean, divided by n - 1; 0 for fewer than two.
double sample_sd(std::span<const double> values);

// [split][seed][query]
using QueryValues = std::vector<std::vector<std::vector<double>>>;

// A mean over splits, of each the mean over seeds and queries.
double mean_over_splits(const QueryValues& values);

struct SampledMean {
  double mean = 0, low = 0, high = 0;  // 95 %
  double p = 1;                        // two-sided, of a mean of 0; at least 2 / (resamples + 1)
};

// Seeds and queries are drawn again independently of each other, a query for all seeds together; of n seeds
// n - 1 are drawn, which makes the variance of their mean unbiased however few they are (McCarthy and Snowden
// 1985). One seed is drawn as it is: then the interval is over queries alone. Every split has the same seeds,
// and they the same queries. sizes [split][query]: the items that a query stands for, its values being their
// sums; empty: one each.
SampledMean sampled_mean(const QueryValues& values, std::uint64_t seed, int resamples = 2000,
                         const std::vector<std::vector<double>>& sizes = {});

// Adjusted so that the chance of any false finding among all of them stays at the level (Holm 1979).
std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace duet
