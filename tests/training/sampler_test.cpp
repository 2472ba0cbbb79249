#include "training/sampler.h"

#include <gtest/gtest.h>

#include <set>

namespace duet {
namespace {

std::vector<std::int64_t> groups_of(std::int64_t rows, std::int64_t per_concept) {
  std::vector<std::int64_t> groups;
  for (std::int64_t row = 0; row < rows; ++row) groups.push_back(row / per_concept);
  return groups;
}

TEST(Sampler, IsAFunctionOfSeedAndStepAlone) {
  const Sampler a(groups_of(100, 5), 16, 2, 7), b(groups_of(100, 5), 16, 2, 7),
      other(groups_of(100, 5), 16, 2, 8);
  const auto late = a.rows(25);  // steps asked for in any order
  for (std::int64_t step = 0; step < 30; ++step) EXPECT_EQ(a.rows(step), b.rows(step)) << step;
  EXPECT_EQ(late, b.rows(25));
  EXPECT_NE(a.rows(0), other.rows(0));
}

TEST(Sampler, ShowsEveryRowAtMostOnceAnEpochAndShuffles) {
  const Sampler sampler(groups_of(100, 1), 16, 1, 3);
  ASSERT_EQ(sampler.steps_per_epoch(), 6);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<std::int64_t> seen;
    for (std::int64_t step = 0; step < 6; ++step) {
      for (const std::int64_t row : sampler.rows(epoch * 6 + step)) EXPECT_TRUE(seen.insert(row).second);
    }
    EXPECT_EQ(seen.size(), 96u);
  }
  EXPECT_NE(sampler.rows(0), sampler.rows(6));
}

TEST(Sampler, PutsPicturesOfAConceptTogether) {
  const Sampler sampler(groups_of(120, 6), 24, 3, 1);
  for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    const auto rows = sampler.rows(step);
    for (std::size_t i = 0; i < rows.size(); i += 3) {
      EXPECT_EQ(rows[i] / 6, rows[i + 1] / 6);
      EXPECT_EQ(rows[i] / 6, rows[i + 2] / 6);
    }
  }
}

TEST(Sampler, NeedsABatchOfRows) {
  EXPECT_NO_THROW(Sampler(groups_of(10, 1), 10, 1, 1));
  EXPECT_ANY_THROW(Sampler(groups_of(10, 1), 11, 1, 1));
}

}  // namespace
}  // namespace duet
