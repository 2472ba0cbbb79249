#include "encoders/pixel_features.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/atan2.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/min.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <numbers>

namespace duet {
namespace {

constexpr std::int64_t kSide = 64, kCell = 8, kOrientations = 9, kColourCell = 4, kChunk = 16;

torch::Tensor at_side(const torch::Tensor& images) {
  const auto pixels = images.to(torch::kFloat).div(255).contiguous();
  if (pixels.size(2) == kSide && pixels.size(3) == kSide) return pixels;
  if (pixels.size(2) >= kSide && pixels.size(3) >= kSide)
    return at::adaptive_avg_pool2d(pixels, {kSide, kSide});
  return at::upsample_bilinear2d(pixels, {kSide, kSide}, false);
}

// [B, 3, S, S] -> the gradient of the colour channel that changes most, (down, across), each [B, S, S].
std::pair<torch::Tensor, torch::Tensor> gradients(const torch::Tensor& pixels) {
  const auto padded = at::replication_pad2d(pixels, {1, 1, 1, 1});
  const auto middle_columns = padded.narrow(3, 1, kSide), middle_rows = padded.narrow(2, 1, kSide);
  const auto down = (middle_columns.narrow(2, 2, kSide) - middle_columns.narrow(2, 0, kSide)) / 2;
  const auto across = (middle_rows.narrow(3, 2, kSide) - middle_rows.narrow(3, 0, kSide)) / 2;
  const auto strongest = (down.square() + across.square()).argmax(1, true);
  return {down.gather(1, strongest).squeeze(1), across.gather(1, strongest).squeeze(1)};
}

torch::Tensor normalised_blocks(const torch::Tensor& blocks) {
  return blocks / (blocks.square().sum(1, true) + 1e-2).sqrt();
}

torch::Tensor edges(const torch::Tensor& pixels) {
  const auto [down, across] = gradients(pixels);
  const auto strength = (down.square() + across.square()).sqrt().unsqueeze(1);
  // Orientation without direction, in bins from the first one's centre; each pixel votes for the two nearest
  // bins.
  const auto angle = at::atan2(down, across)
                         .remainder(std::numbers::pi)
                         .mul(kOrientations / std::numbers::pi)
                         .sub(.5)
                         .unsqueeze(1);
  const auto bins = at::arange(kOrientations, pixels.options()).view({1, -1, 1, 1});
  const auto distance = (angle - bins).abs();
  const auto votes = at::relu(1 - at::min(distance, kOrientations - distance)).mul_(strength);
  const auto cells = at::avg_pool2d(votes, kCell) * (kCell * kCell);  // [B, 9, 8, 8]
  constexpr std::int64_t kBlocks = kSide / kCell - 1;
  std::vector<torch::Tensor> corners;
  for (const std::int64_t y : {0, 1}) {
    for (const std::int64_t x : {0, 1}) corners.push_back(cells.narrow(2, y, kBlocks).narrow(3, x, kBlocks));
  }
  return normalised_blocks(normalised_blocks(at::cat(corners, 1)).clamp_max(.2)).flatten(1);
}

}  // namespace

torch::Tensor pixel_features(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3, "pixel_features: pictures must be [B, 3, H, W]");
  const torch::NoGradGuard no_grad;
  auto features = torch::empty({images.size(0), kPixelFeatures},
                               torch::TensorOptions(torch::kFloat).device(images.device()));
  for (std::int64_t first = 0; first < images.size(0);
       first += kChunk) {  // few at a time: they stay in the cache
    const std::int64_t count = std::min(kChunk, images.size(0) - first);
    const auto pixels = at_side(images.narrow(0, first, count));
    const auto colours = at::avg_pool2d(pixels, kColourCell).flatten(1);
    features.narrow(0, first, count).copy_(at::cat({colours, edges(pixels)}, 1));
  }
  return features;
}

}  // namespace duet
