#include "retrieval/resampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace duet {
namespace {

using Sizes = std::vector<std::vector<double>>;

// Every resample there is, each as likely as any other: seeds - 1 of the seeds, as many queries as there are.
std::vector<double> all_means(const std::vector<std::vector<double>>& values,
                              const std::vector<double>& sizes) {
  const std::size_t seeds = values.size(), queries = values[0].size(),
                    draws = std::max<std::size_t>(1, seeds - 1);
  const auto choices = [](std::size_t of, std::size_t times) {
    std::vector<std::vector<std::size_t>> all(1);
    for (std::size_t i = 0; i < times; ++i) {
      std::vector<std::vector<std::size_t>> longer;
      for (const auto& one : all) {
        for (std::size_t next = 0; next < of; ++next) {
          longer.push_back(one);
          longer.back().push_back(next);
        }
      }
      all = std::move(longer);
    }
    return all;
  };
  std::vector<double> means;
  for (const auto& drawn : choices(seeds, draws)) {
    for (const auto& asked : choices(queries, queries)) {
      double sum = 0, items = 0;
      for (const std::size_t query : asked) {
        for (const std::size_t seed : drawn) sum += values[seed][query];
        items += sizes[query];
      }
      means.push_back(sum / (items * static_cast<double>(draws)));
    }
  }
  std::sort(means.begin(), means.end());
  return means;
}

// The share of all resamples at or below a value.
double share_up_to(const std::vector<double>& sorted, double value) {
  const auto end = std::upper_bound(sorted.begin(), sorted.end(), value + 1e-12);
  return static_cast<double>(end - sorted.begin()) / static_cast<double>(sorted.size());
}

void expect_as_by_brute_force(const std::vector<std::vector<double>>& values,
                              const std::vector<double>& sizes) {
  const std::vector<double> all = all_means(values, sizes);
  const SampledMean found = sampled_mean({values}, 7, 20'000, Sizes{sizes});
  // The ends of the interval are quantiles of the whole distribution, which comes in steps.
  EXPECT_NEAR(share_up_to(all, found.low - 1e-9), .025, .025);
  EXPECT_LE(share_up_to(all, found.low - 1e-6), .025 + .004);
  EXPECT_GE(share_up_to(all, found.low), .025 - .004);
  EXPECT_LE(share_up_to(all, found.high - 1e-6), .975 + .004);
  EXPECT_GE(share_up_to(all, found.high), .975 - .004);
}

TEST(Resampling, IntervalIsThatOfAllResamples) {
  expect_as_by_brute_force({{1, 0, 1, 0, 1}, {1, 1, 1, 0, 0}, {0, 0, 1, 0, 1}}, {1, 1, 1, 1, 1});
  expect_as_by_brute_force({{3, 0, 1, 2}, {2, 1, 1, 0}, {3, 0, 0, 1}}, {3, 1, 1, 2});
  expect_as_by_brute_force({{2, 0, 1, 1}}, {2, 1, 1, 3});  // one seed: over queries alone
}

TEST(Resampling, AQueryOfSeveralItemsWeighsAsManyAndIsDrawnWhole) {
  // Ten groups of ten equal items are ten witnesses, not a hundred.
  std::vector<double> grouped, single;
  for (int group = 0; group < 10; ++group) {
    grouped.push_back(group % 2 ? 10 : 0);
    for (int item = 0; item < 10; ++item) single.push_back(group % 2);
  }
  const SampledMean of_groups = sampled_mean({{grouped}}, 1, 2000, Sizes{std::vector<double>(10, 10)});
  const SampledMean of_items = sampled_mean({{single}}, 1);
  EXPECT_EQ(of_groups.mean, .5);
  EXPECT_EQ(of_items.mean, .5);
  EXPECT_NEAR((of_groups.high - of_groups.low) / (of_items.high - of_items.low), std::sqrt(10), .7);
  EXPECT_EQ(sampled_mean({{{4, 0}, {2, 1}}}, 1, 10, Sizes{{4, 1}}).mean, .7);
}

TEST(Resampling, ZeroIsToldFromAMeanAboveIt) {
  EXPECT_EQ(sampled_mean({{{.5, .5, .5}, {.5, .5, .5}}}, 1).p, 2.0 / 2001);
  EXPECT_EQ(sampled_mean({{{0, 0, 0}}}, 1).p, 1);
}

}  // namespace
}  // namespace duet
