#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace duet {
namespace {

TEST(Schedule, WarmupIsStepsOrAShareOfTheRun) {
  EXPECT_EQ(warmup_steps({.warmup = 0.1}, 200), 20);
  EXPECT_EQ(warmup_steps({.warmup = 7}, 200), 7);
  EXPECT_EQ(warmup_steps({.warmup = 1}, 200), 1);
  EXPECT_EQ(warmup_steps({.warmup = 0}, 200), 0);
}

TEST(Schedule, RisesLinearlyThenFallsAsACosine) {
  const ScheduleOptions options{.kind = "cosine", .warmup = 10, .lr_end = 0.1};
  EXPECT_DOUBLE_EQ(lr_share(options, 0, 110), 0.1);
  EXPECT_DOUBLE_EQ(lr_share(options, 4, 110), 0.5);
  EXPECT_DOUBLE_EQ(lr_share(options, 9, 110), 1);
  EXPECT_DOUBLE_EQ(lr_share(options, 10, 110), 1);
  EXPECT_NEAR(lr_share(options, 60, 110), 0.55, 1e-12);
  EXPECT_NEAR(lr_share(options, 35, 110), 0.1 + 0.9 * 0.5 * (1 + std::cos(M_PI / 4)), 1e-12);
  EXPECT_NEAR(lr_share(options, 110, 110), 0.1, 1e-12);
  EXPECT_NEAR(lr_share(options, 500, 110), 0.1, 1e-12);  // past the end it stays
  for (std::int64_t step = 10; step < 109; ++step) {
    EXPECT_GT(lr_share(options, step, 110), lr_share(options, step + 1, 110));
  }
}

TEST(Schedule, FallsAlongALine) {
  const ScheduleOptions options{.kind = "linear", .warmup = 10, .lr_end = 0.2};
  EXPECT_DOUBLE_EQ(lr_share(options, 4, 110), 0.5);
  EXPECT_DOUBLE_EQ(lr_share(options, 10, 110), 1);
  EXPECT_DOUBLE_EQ(lr_share(options, 35, 110), 0.8);
  EXPECT_DOUBLE_EQ(lr_share(options, 110, 110), 0.2);
  EXPECT_DOUBLE_EQ(lr_share(options, 500, 110), 0.2);
}

TEST(Schedule, ConstantStaysAtTheTop) {
  const ScheduleOptions options{.kind = "constant", .warmup = 0.5};
  EXPECT_DOUBLE_EQ(lr_share(options, 0, 4), 0.5);
  EXPECT_DOUBLE_EQ(lr_share(options, 1, 4), 1);
  EXPECT_DOUBLE_EQ(lr_share(options, 3, 4), 1);
}

TEST(Schedule, ARunShorterThanItsWarmup) {
  const ScheduleOptions options{.warmup = 100};
  EXPECT_DOUBLE_EQ(lr_share(options, 4, 5), 0.05);
  EXPECT_DOUBLE_EQ(lr_share({.warmup = 1}, 0, 1), 1);
}

}  // namespace
}  // namespace duet
