#include "encoders/pixel_features.h"

#include <gtest/gtest.h>

#include "encoders/blocks.h"
#include "towers.h"

namespace duet {
namespace {

// Grey that rises by `across` a column and `down` a row.
torch::Tensor ramp(double across, double down) {
  const auto steps = at::arange(64, torch::kFloat);
  return (steps.view({1, 64}) * across + steps.view({64, 1}) * down).expand({1, 3, 64, 64}).contiguous();
}

torch::Tensor edges_of(const torch::Tensor& images) {
  return pixel_features(images)
      .narrow(1, kColourFeatures, kEdgeFeatures)
      .view({-1, 7, 7, 4, 9})
      .permute({0, 3, 4, 1, 2});
}

TEST(PixelFeatures, ColoursAreTheMeansOfCells) {
  const auto images = at::randint(256, {2, 3, 64, 64}, torch::kUInt8);
  const auto cells = images.to(torch::kFloat).div(255).view({2, 3, 16, 4, 16, 4}).mean({3, 5}).flatten(1);
  EXPECT_LT(distance(pixel_features(images).narrow(1, 0, kColourFeatures), cells), 1e-6);
}

// The gradient of a ramp points one way everywhere: across is 0 degrees, in the middle of the last and the
// first bin (their centres are at 170 and 10 degrees); down is 90 degrees, the centre of bin 4. What is clipped
// at .2 is normalised again with an epsilon of .01 below the root.
TEST(PixelFeatures, ARampHasOneOrientation) {
  const auto down = edges_of(ramp(0, 3))[0].select(2, 3).select(2, 3);  // the middle block, [4, 9]
  for (std::int64_t corner = 0; corner < 4; ++corner) {
    EXPECT_NEAR(down[corner][4].item<double>(), .2 / std::sqrt(4 * .04 + .01), 1e-5);
    EXPECT_NEAR(down[corner].sum().item<double>(), down[corner][4].item<double>(), 1e-5);
  }
  const auto across = edges_of(ramp(3, 0))[0].select(2, 3).select(2, 3);
  for (std::int64_t corner = 0; corner < 4; ++corner) {
    EXPECT_NEAR(across[corner][0].item<double>(), .2 / std::sqrt(8 * .04 + .01), 1e-5);
    EXPECT_NEAR(across[corner][8].item<double>(), .2 / std::sqrt(8 * .04 + .01), 1e-5);
  }
}

TEST(PixelFeatures, BlocksHaveUnitLengthUnlessFlat) {
  const auto blocks = edges_of(at::randint(256, {3, 3, 64, 64})).flatten(1, 2);  // [3, 36, 7, 7]
  EXPECT_LT(distance(blocks.norm(2, {1}), at::ones({3, 7, 7})), 2e-2);
  EXPECT_EQ(edges_of(ramp(0, 0)).abs().max().item<double>(), 0);
}

TEST(PixelFeatures, BrightnessDoesNotChangeEdges) {
  torch::manual_seed(2);
  const auto images = at::rand({2, 3, 64, 64}) * 100;
  EXPECT_LT(distance(edges_of(images), edges_of(images + 50)), 1e-4);
}

TEST(PixelFeatures, APictureDoesNotSeeItsNeighbours) {
  const auto images = at::randint(256, {19, 3, 64, 64}, torch::kUInt8);
  EXPECT_EQ(distance(pixel_features(images)[17], pixel_features(images.narrow(0, 17, 1))[0]), 0);
}

TEST(PixelFeatures, OtherSizesAreBroughtToSixtyFour) {
  const auto images = at::randint(256, {1, 3, 64, 64}).to(torch::kFloat);
  const auto doubled = images.repeat_interleave(2, 2).repeat_interleave(2, 3);
  EXPECT_LT(distance(pixel_features(doubled), pixel_features(images)), 1e-4);
  EXPECT_EQ(pixel_features(at::randint(256, {2, 3, 16, 16}, torch::kUInt8)).sizes(),
            (std::vector<std::int64_t>{2, kPixelFeatures}));
}

}  // namespace
}  // namespace duet
