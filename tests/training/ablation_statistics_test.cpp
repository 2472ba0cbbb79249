#include "training/ablation_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr double kSmallestP = 2.0 / 2001;  // of 2,000 resamples

// [split][seed][query]
QueryValues zeros(std::size_t splits, std::size_t seeds, std::size_t queries) {
  return QueryValues(splits, std::vector<std::vector<double>>(seeds, std::vector<double>(queries)));
}

TEST(AblationStatistics, StandardDeviationIsTheSamples) {
  const std::vector<double> values = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(sample_sd(values), std::sqrt(5.0 / 3));
  EXPECT_EQ(sample_sd(std::vector<double>{7}), 0);
  EXPECT_EQ(mean_of(values), 2.5);
}

TEST(AblationStatistics, HolmByHand) {
  const auto near = [](double value) { return DoubleNear(value, 1e-12); };
  EXPECT_THAT(holm_adjusted(std::vector<double>{.01, .04, .03, .005}),
              ElementsAre(near(.03), near(.06), near(.06), near(.02)));
  EXPECT_THAT(holm_adjusted(std::vector<double>{.5, .6}), ElementsAre(near(1), near(1)));
  EXPECT_THAT(holm_adjusted(std::vector<double>{.5}), ElementsAre(near(.5)));
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(AblationStatistics, ValueOfARank) {
  EXPECT_EQ(value_of_rank("recall_at_1", 1), 1);
  EXPECT_EQ(value_of_rank("recall_at_1", 2), 0);
  EXPECT_EQ(value_of_rank("recall_at_5", 5), 1);
  EXPECT_EQ(value_of_rank("recall_at_10", 11), 0);
  EXPECT_EQ(value_of_rank("reciprocal_rank", 4), .25);
}

TEST(AblationStatistics, MeanOverSplitsWeighsThemAlike) {
  EXPECT_EQ(mean_over_splits({{{1, 1, 1, 1}, {1, 1, 0, 0}}, {{0}, {0}}}), .375);
}

TEST(AblationStatistics, ConstantDifference) {
  QueryValues baseline = zeros(2, 3, 50);
  Random random(5);
  for (auto& split : baseline) {
    for (auto& seed : split) {
      for (double& value : seed) value = random.chance(0.5) ? 1 : 0;
    }
  }
  QueryValues arm = baseline;
  for (auto& split : arm) {
    for (auto& seed : split) {
      for (double& value : seed) value += .25;
    }
  }
  const ArmDifference difference = paired_difference(arm, baseline);
  EXPECT_EQ(difference.mean, .25);
  EXPECT_EQ(difference.low, .25);
  EXPECT_EQ(difference.high, .25);
  EXPECT_EQ(difference.p, kSmallestP);
  EXPECT_EQ(difference.seeds, 3);
  EXPECT_EQ(paired_difference(baseline, arm).mean, -.25);
  EXPECT_EQ(paired_difference(baseline, arm).p, kSmallestP);
}

TEST(AblationStatistics, NoDifference) {
  const QueryValues values = zeros(2, 3, 50);
  const ArmDifference same = paired_difference(values, values);
  EXPECT_EQ(same.mean, 0);
  EXPECT_EQ(same.low, 0);
  EXPECT_EQ(same.high, 0);
  EXPECT_EQ(same.p, 1);
  QueryValues noisy = values;
  for (auto& split : noisy) {
    for (auto& seed : split) {
      for (std::size_t query = 0; query < seed.size(); ++query) seed[query] = query % 2 ? 1 : -1;
    }
  }
  const ArmDifference noise = paired_difference(noisy, values);
  EXPECT_EQ(noise.mean, 0);
  EXPECT_LT(noise.low, 0);
  EXPECT_GT(noise.high, 0);
  EXPECT_GT(noise.p, .8);
}

// One seed, n queries of +1 or -1: the mean's deviation is 1 / sqrt(n).
TEST(AblationStatistics, IntervalOverQueriesIsTheNormalOne) {
  constexpr std::size_t kQueries = 400;
  QueryValues arm = zeros(1, 1, kQueries);
  for (std::size_t query = 0; query < kQueries; ++query) arm[0][0][query] = query % 2 ? 1 : -1;
  const ArmDifference difference = paired_difference(arm, zeros(1, 1, kQueries));
  EXPECT_NEAR(difference.low, -1.96 / 20, .012);
  EXPECT_NEAR(difference.high, 1.96 / 20, .012);
}

// Seeds alone differ, by 0, .1, .2, .3. Three of four are drawn: all of them the first has probability 1/64,
// below 2.5 %; two of them the first and one the second 3/64 more. Four drawn of four would give .05.
TEST(AblationStatistics, SeedsAreDrawnOneFewer) {
  QueryValues arm = zeros(1, 4, 10);
  for (std::size_t seed = 0; seed < 4; ++seed) {
    for (double& value : arm[0][seed]) value = .1 * static_cast<double>(seed);
  }
  const ArmDifference difference = paired_difference(arm, zeros(1, 4, 10));
  EXPECT_NEAR(difference.mean, .15, 1e-12);
  EXPECT_NEAR(difference.low, .1 / 3, 1e-12);
  EXPECT_NEAR(difference.high, .8 / 3, 1e-12);
  // The variance is s^2 / n, with s the sample's own: two seeds, each drawn alone.
  QueryValues two = zeros(1, 2, 10);
  two[0][1].assign(10, 1);
  EXPECT_EQ(paired_difference(two, zeros(1, 2, 10)).low, 0);
  EXPECT_EQ(paired_difference(two, zeros(1, 2, 10)).high, 1);
}

// The same query is drawn for all seeds: a query that one arm finds with each of its seeds is one finding, not
// many.
TEST(AblationStatistics, AQueryIsDrawnForAllSeedsTogether) {
  const auto width = [](std::size_t seeds) {
    QueryValues arm = zeros(1, seeds, 100);
    for (auto& of_seed : arm[0]) {
      for (std::size_t query = 0; query < 100; ++query) of_seed[query] = query % 2 ? 1 : -1;
    }
    const ArmDifference difference = paired_difference(arm, zeros(1, seeds, 100));
    return difference.high - difference.low;
  };
  EXPECT_NEAR(width(10), width(1), .06);
}

TEST(AblationStatistics, RefusesWhatIsNotPaired) {
  EXPECT_EQ(failure_of([] { paired_difference(zeros(1, 2, 10), zeros(1, 2, 9)); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([] { paired_difference(zeros(1, 2, 10), zeros(1, 3, 10)); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([] { paired_difference(zeros(2, 2, 10), zeros(1, 2, 10)); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([] { paired_difference({}, {}); }).exit, Exit::failed);
}

}  // namespace
}  // namespace duet
