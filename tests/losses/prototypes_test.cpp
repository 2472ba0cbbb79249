// The teacher's temperature, and how evenly prototypes are used.
#include "losses/image/prototypes.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(Prototypes, TemperatureRisesOverItsWarmUp) {
  PrototypeOptions options;
  options.teacher_start = 0.04;
  options.teacher_end = 0.08;
  options.warmup = 0.2;
  EXPECT_DOUBLE_EQ(options.teacher_temperature(0), 0.04);
  EXPECT_DOUBLE_EQ(options.teacher_temperature(0.1), 0.06);
  EXPECT_DOUBLE_EQ(options.teacher_temperature(0.2), 0.08);
  EXPECT_DOUBLE_EQ(options.teacher_temperature(0.9), 0.08);
  options.warmup = 0;
  EXPECT_DOUBLE_EQ(options.teacher_temperature(0), 0.08);
}

TEST(Prototypes, SpreadIsOneWhenUsedEvenlyAndZeroWhenOneIsEnough) {
  EXPECT_NEAR(spread(torch::full({5, 4}, 0.25)).item<double>(), 1, 1e-6);
  EXPECT_NEAR(spread(torch::eye(4)).item<double>(), 1, 1e-6);
  EXPECT_EQ(spread(torch::tensor({{0.F, 1.F}, {0.F, 1.F}})).item<double>(), 0);
}

}  // namespace
}  // namespace duet
