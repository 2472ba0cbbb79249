#include "encoders/blocks.h"

#include <gtest/gtest.h>

#include "encoders/text/aten_ops.h"
#include "towers.h"

namespace duet {
namespace {

TEST(Linear, IsAMatrixProductAndABias) {
  Linear layer(Init(1), 3, 2);
  randomise(layer);
  const auto x = torch::tensor({{1.f, 2.f, -1.f}});
  EXPECT_LT(distance(layer.forward(x), x.matmul(layer.weight.t()) + layer.bias), 1e-6);
  EXPECT_FALSE(Linear(Init(1), 3, 2, false).bias.defined());
}

TEST(MapNorm, EveryKindCentresAndScales) {
  const auto x = (random_images(4, 6).repeat({1, 11, 1, 1}).narrow(1, 0, 32) * 3 + 2)
                     .contiguous(at::MemoryFormat::ChannelsLast);
  const auto batch = make_norm("batch", 32)->forward(x);
  EXPECT_LT(batch.mean({0, 2, 3}).abs().max().item<double>(), 1e-5);
  const auto layer = make_norm("layer", 32)->forward(x);
  EXPECT_LT(layer.mean(1).abs().max().item<double>(), 1e-5);
  const auto group = make_norm("group", 32)->forward(x);
  EXPECT_LT(group.reshape({4, 2, -1}).mean(2).abs().max().item<double>(), 1e-5);
  for (const auto& y : {batch, layer, group}) EXPECT_NEAR(y.pow(2).mean().item<double>(), 1, 1e-3);
}

TEST(MapNorm, BatchUsesItsRunningStatisticsInEvaluation) {
  const auto norm = make_norm("batch", 3);
  const auto x = random_images(4, 6);
  for (int i = 0; i < 200; ++i) norm->forward(x);
  norm->eval();
  const auto expected = (x - x.mean({0, 2, 3}, true)) / (x.var({0, 2, 3}, true, true) + 1e-5).sqrt();
  EXPECT_LT(distance(norm->forward(x), expected), 1e-4);
  EXPECT_LT(distance(norm->forward(x.narrow(0, 0, 1)), expected.narrow(0, 0, 1)), 1e-4);
}

TEST(AttentionMask, HidesPaddingAndTheFuture) {
  const auto valid = valid_of({3, 2, 0}, 3);
  const auto both = attention_mask(valid, true, 3, torch::kCPU);
  ASSERT_EQ(both.sizes(), (std::vector<std::int64_t>{3, 1, 3, 3}));
  const auto expected = torch::tensor({{{1, 0, 0}, {1, 1, 0}, {1, 1, 1}},
                                       {{1, 0, 0}, {1, 1, 0}, {1, 1, 0}},
                                       {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}});
  EXPECT_TRUE(both.squeeze(1).equal(expected.to(torch::kBool)));
  EXPECT_EQ(attention_mask(valid, false, 3, torch::kCPU).sizes(), (std::vector<std::int64_t>{3, 1, 1, 3}));
  EXPECT_FALSE(attention_mask({}, false, 3, torch::kCPU).defined());
}

TEST(Attend, IsSoftmaxOfScaledProducts) {
  torch::manual_seed(1);
  const auto q = at::randn({2, 2, 3, 4}), k = at::randn({2, 2, 3, 4}), v = at::randn({2, 2, 3, 4});
  const auto mask = attention_mask(valid_of({3, 2}, 3), true, 3, torch::kCPU);
  const auto logits = q.matmul(k.transpose(2, 3)) / 2;
  const auto expected = logits.masked_fill(mask.logical_not(), -1e30).softmax(-1).matmul(v);
  EXPECT_LT(distance(attend(q, k, v, mask), expected), 1e-5);
  EXPECT_LT(distance(attend(q, k, v, {}), logits.softmax(-1).matmul(v)), 1e-5);
  EXPECT_TRUE(attend(q, k, v, mask, .5).isfinite().all().item<bool>());  // a mask and dropout together
}

TEST(Residual, DropPathKeepsTheMean) {
  torch::manual_seed(1);
  const auto x = at::zeros({4000, 1, 2}), branch = at::ones({4000, 1, 2});
  const auto kept = AtenOps(0, .25).residual(x, branch);
  EXPECT_NEAR(kept.mean().item<double>(), 1, .05);
  EXPECT_EQ(kept.eq(0).logical_or(kept.sub(4. / 3).abs().lt(1e-6)).all().item<bool>(), true);
  EXPECT_EQ(distance(kept.select(2, 0), kept.select(2, 1)), 0);  // a row goes as a whole
}

TEST(Unit, GivesLengthOneAndKeepsZero) {
  const auto x = torch::tensor({{3.f, 4.f}, {0.f, 0.f}});
  EXPECT_LT(distance(unit(x), torch::tensor({{.6f, .8f}, {0.f, 0.f}})), 1e-6);
}

}  // namespace
}  // namespace duet
