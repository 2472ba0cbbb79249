#include "encoders/plain/plain_ops.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"

namespace duet {
namespace {

std::vector<float> random_floats(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

TEST(PlainOps, LinearIsAMatrixProductForEverySize) {
  for (const std::int64_t rows : {1, 2, 5}) {
    for (const std::int64_t in : {1, 7, 8, 29}) {
      for (const std::int64_t out : {1, 3, 4, 10}) {
        const PlainOps::Tensor x{rows, in, random_floats(rows * in, 1)};
        const auto weight = random_floats(in * out, 2), bias = random_floats(out, 3);
        const auto y = PlainOps().linear(x, {{weight.data(), out, in}, bias.data()});
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t j = 0; j < out; ++j) {
            double sum = bias[j];
            for (std::int64_t k = 0; k < in; ++k) sum += static_cast<double>(x.row(i)[k]) * weight[j * in + k];
            EXPECT_NEAR(y.row(i)[j], sum, 1e-5) << rows << " " << in << " " << out;
          }
        }
      }
    }
  }
}

TEST(PlainOps, LayerNormHasMeanZeroAndVarianceOne) {
  const PlainOps::Tensor x{1, 50, random_floats(50, 1)};
  const std::vector<float> ones(50, 1), zeros(50, 0);
  const auto y = PlainOps().layer_norm(x, {ones.data(), zeros.data()});
  double mean = 0, square = 0;
  for (const float value : y.values) mean += value / 50, square += value * value / 50;
  EXPECT_NEAR(mean, 0, 1e-6);
  EXPECT_NEAR(square, 1, 1e-4);
}

TEST(PlainOps, GeluIsExact) {
  const auto y = PlainOps().gelu({1, 3, {0, 1, -2}});
  EXPECT_NEAR(y.values[0], 0, 1e-7);
  EXPECT_NEAR(y.values[1], .8413447, 1e-6);
  EXPECT_NEAR(y.values[2], -.0455003, 1e-6);
}

TEST(PlainOps, CausalAttentionOfTheFirstTokenIsItsValue) {
  const PlainOps::Tensor qkv{3, 12, random_floats(36, 1)};
  const PlainOps ops;
  const auto causal = ops.attention(qkv, 2, ops.mask({}, true));
  for (std::int64_t d = 0; d < 4; ++d) EXPECT_NEAR(causal.row(0)[d], qkv.row(0)[8 + d], 1e-6);
  const auto one = ops.attention(qkv, 2, ops.mask({1}, false));  // only the first may be seen
  for (std::int64_t d = 0; d < 4; ++d) EXPECT_NEAR(one.row(2)[d], qkv.row(0)[8 + d], 1e-6);
}

TEST(PlainOps, PoolsAsAsked) {
  const PlainOps::Tensor x{3, 2, {1, 2, 3, 4, 50, 60}};
  const PlainOps ops;
  EXPECT_EQ(ops.pool(x, {2}, Pooling::mean).values, (std::vector<float>{2, 3}));
  EXPECT_EQ(ops.pool(x, {2}, Pooling::cls).values, (std::vector<float>{1, 2}));
  EXPECT_EQ(ops.pool(x, {2}, Pooling::eot).values, (std::vector<float>{3, 4}));
}

}  // namespace
}  // namespace duet
