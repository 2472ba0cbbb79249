// What is hidden of a picture, and pixels from cells.
#include "losses/image/pixels.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "tiny_model.h"

namespace duet {
namespace {

const std::vector<double> kRed = {1, 0, 0};

torch::Tensor pictures(std::int64_t count, std::int64_t size) {
  torch::manual_seed(1);
  return at::randint(1, 255, {count, 3, size, size}, torch::TensorOptions(torch::kLong)).to(torch::kByte);
}

// Where `hidden` differs, the mask is true; the rest is as it was.
void expect_only_masked_changed(const torch::Tensor& before, const HiddenPart& hidden) {
  const auto changed = (before != hidden.pictures).any(1, true);
  EXPECT_FALSE(changed.logical_and(hidden.mask.logical_not()).any().item<bool>());
  EXPECT_TRUE(hidden.pictures.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(Hide, BlockIsASquareOfTheShareInAnyPlace) {
  const auto before = pictures(200, 16);
  const HiddenPart hidden = hide(before, {.mask = "block", .share = .25}, kRed);
  expect_only_masked_changed(before, hidden);
  const auto rows = hidden.mask.any(3).sum(2), columns = hidden.mask.any(2).sum(2);  // [N, 1]
  EXPECT_TRUE((rows == 8).all().item<bool>() && (columns == 8).all().item<bool>());
  EXPECT_TRUE((hidden.mask.sum({1, 2, 3}) == 64).all().item<bool>());
  const auto somewhere = hidden.mask.any(0).squeeze();
  EXPECT_TRUE(somewhere.all().item<bool>()) << "some places are never hidden";
  const auto inside = hidden.pictures.permute({0, 2, 3, 1}).index({hidden.mask.squeeze(1)});  // [pixels, 3]
  EXPECT_TRUE((inside == torch::tensor({255, 0, 0}, torch::kByte)).all().item<bool>());
}

TEST(Hide, RandomHidesWholeCells) {
  const auto before = pictures(50, 18);  // five cells of four pixels a side, the last ones cut
  const HiddenPart hidden = hide(before, {.mask = "random", .share = .6, .cell = 4}, kRed);
  expect_only_masked_changed(before, hidden);
  const auto corners = hidden.mask.slice(2, 0, 18, 4).slice(3, 0, 18, 4);  // [N, 1, 5, 5]
  EXPECT_TRUE((corners.sum({1, 2, 3}) == 15).all().item<bool>());
  EXPECT_TRUE(torch::equal(
      corners.repeat_interleave(4, 2).repeat_interleave(4, 3).slice(2, 0, 18).slice(3, 0, 18), hidden.mask));
}

TEST(Hide, BlurKeepsTheMean) {
  const auto before = pictures(20, 32);
  const HiddenPart hidden = hide(before, {.mask = "blur", .share = .25}, kRed);
  expect_only_masked_changed(before, hidden);
  const auto mask = hidden.mask.expand_as(before);
  const auto inside = hidden.pictures.index({mask}).to(torch::kFloat);
  EXPECT_NEAR(inside.mean().item<double>(), 127, 5);
  EXPECT_LT(inside.std().item<double>(), before.index({mask}).to(torch::kFloat).std().item<double>() / 4);
}

TEST(CellDecoder, PutsEachCellsPixelsInItsPlaceBehindAClassToken) {
  CellDecoder decoder(Init(1), 6, 2);
  torch::manual_seed(2);
  const auto tokens = torch::randn({1, 10, 6});  // a class token and 3 x 3 cells
  const auto whole = decoder.forward(tokens);
  EXPECT_EQ(whole.sizes(), (std::vector<std::int64_t>{1, 3, 6, 6}));
  auto other = tokens.clone();
  other[0][0].add_(torch::randn({6}));  // the class token tells no pixels
  EXPECT_TRUE(torch::equal(decoder.forward(other), whole));
  other[0][1 + 5].add_(torch::randn({6}));  // row 1, column 2
  const auto changed = (decoder.forward(other) != whole).any(1)[0];
  EXPECT_TRUE(changed.slice(0, 2, 4).slice(1, 4, 6).all().item<bool>());
  EXPECT_EQ(changed.sum().item<std::int64_t>(), 4);
}

TEST(Explained, IsOneForTheTruthAndZeroForItsMean) {
  const auto truth = pictures(3, 8).to(torch::kFloat) / 255;
  const auto mask = hide(pictures(3, 8), {}, kRed).mask;
  EXPECT_NEAR(explained(truth, truth, mask).item<double>(), 1, 1e-6);
  const auto mean = (truth * mask).sum({2, 3}, true) / mask.sum({2, 3}, true);
  EXPECT_NEAR(explained(mean.expand_as(truth), truth, mask).item<double>(), 0, 1e-6);
}

TEST(GridOf, CountsCellsAndLeavesTheTowerAsItWas) {
  const auto model = testing::tiny_model({.batch_norm = true});
  model->train();
  const auto before = model->image->buffers()[0].clone();
  const Grid grid = grid_of(*model->image, 8);
  EXPECT_EQ(grid.side, 2);
  EXPECT_EQ(grid.width, 12);
  EXPECT_TRUE(model->image->is_training());
  EXPECT_TRUE(torch::equal(model->image->buffers()[0], before));
}

}  // namespace
}  // namespace duet
