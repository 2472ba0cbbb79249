#include "optim/ema.h"

#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace duet {
namespace {

TEST(Ema, DecayWarmsUp) {
  EXPECT_DOUBLE_EQ(Ema::decay_at(0.99, 0), 0.1);
  EXPECT_DOUBLE_EQ(Ema::decay_at(0.99, 10), 11.0 / 20);
  EXPECT_DOUBLE_EQ(Ema::decay_at(0.99, 100000), 0.99);
}

// With live = 0 from the start at 1, the average is the product of the decays.
TEST(Ema, ClosedForm) {
  const auto live = torch::ones({3});
  Ema ema({{"w", live}}, 0.5);
  live.zero_();
  double expected = 1;
  for (int t = 0; t < 20; ++t) {
    ema.update(t);
    expected *= std::min(0.5, (1.0 + t) / (10 + t));
    EXPECT_NEAR(ema.state().at("w")[1].item<double>(), expected, 1e-6);
  }
}

TEST(Ema, ConstantWeightsAreTheirOwnAverage) {
  const auto live = torch::rand({4, 5});
  Ema ema({{"w", live}}, 0.9);
  for (int t = 0; t < 100; ++t) ema.update(t);
  EXPECT_TRUE(ema.state().at("w").equal(live));
}

TEST(Ema, SwapsTwiceToNothingAndKeepsLayoutAndAliases) {
  const auto live = torch::rand({2, 3, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  Ema ema({{"w", live}}, 0.9);
  const auto start = live.clone();
  live.zero_();
  {
    const EmaScope scope(&ema);
    EXPECT_TRUE(live.equal(start));
    EXPECT_TRUE(live.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
  EXPECT_EQ(live.abs().sum().item<double>(), 0);
  EXPECT_TRUE(ema.state().at("w").equal(start));
  EXPECT_EQ(ema.state().at("w").strides(), live.strides());
  const EmaScope nothing(nullptr);
}

TEST(Ema, AveragesFloatBuffersAndLeavesCountersOut) {
  const auto counter = torch::ones({}, torch::kLong);
  Ema ema({{"mean", torch::ones({2})}, {"seen", counter}}, 0.9);
  EXPECT_EQ(ema.state().size(), 1u);
  EXPECT_TRUE(ema.state().contains("mean"));
}

TEST(Ema, RestoresAndGoesOnAsIfNeverStopped) {
  const auto live = torch::rand({5}), other = torch::rand({5});
  Ema a({{"w", live}}, 0.9);
  const auto step = [&](Ema& ema, int t) {
    live.copy_(torch::full({5}, std::sin(t)));
    ema.update(t);
  };
  for (int t = 0; t < 5; ++t) step(a, t);
  TensorMap file;
  for (const auto& [name, tensor] : a.state()) file[name] = tensor.clone();
  for (int t = 5; t < 10; ++t) step(a, t);
  Ema b({{"w", live}}, 0.9);
  b.load_state(file);
  for (int t = 5; t < 10; ++t) step(b, t);
  EXPECT_TRUE(b.state().at("w").equal(a.state().at("w")));
  EXPECT_THROW(b.load_state({{"v", other}}), Error);
  EXPECT_THROW(b.load_state({{"w", torch::rand({4})}}), Error);
}

}  // namespace
}  // namespace duet
