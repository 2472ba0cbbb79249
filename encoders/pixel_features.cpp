#include "encoders/pixel_features.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

namespace duet {
namespace {

constexpr int kSide = 64, kCell = 8, kCells = kSide / kCell, kOrientations = 9, kColourCell = 4, kCoarse = 16;

using Plane = const float*;  // [kSide, kSide]
using Cells = std::array<std::array<std::array<float, kOrientations>, kCells>, kCells>;

// [B, 3, H, W] -> [B, 3, kSide, kSide] of 0..1, on the CPU.
torch::Tensor at_side(const torch::Tensor& images) {
  const auto pixels = images.to(torch::kCPU, torch::kFloat).div(255).contiguous();
  if (pixels.size(2) == kSide && pixels.size(3) == kSide) return pixels;
  if (pixels.size(2) >= kSide && pixels.size(3) >= kSide)
    return at::adaptive_avg_pool2d(pixels, {kSide, kSide});
  return at::upsample_bilinear2d(pixels, {kSide, kSide}, false);
}

float* add_colours(Plane plane, float* out) {
  for (int y = 0; y < kSide; y += kColourCell) {
    for (int x = 0; x < kSide; x += kColourCell) {
      float sum = 0;
      for (int row = y; row < y + kColourCell; ++row) {
        for (int column = x; column < x + kColourCell; ++column) sum += plane[row * kSide + column];
      }
      *out++ = sum / (kColourCell * kColourCell);
    }
  }
  return out;
}

struct Gradient {
  float down = 0, across = 0;
  float square() const { return down * down + across * across; }
};

Gradient gradient_at(Plane plane, int y, int x) {
  const int above = std::max(y - 1, 0), below = std::min(y + 1, kSide - 1), left = std::max(x - 1, 0),
            right = std::min(x + 1, kSide - 1);
  return {(plane[below * kSide + x] - plane[above * kSide + x]) / 2,
          (plane[y * kSide + right] - plane[y * kSide + left]) / 2};
}

// Each pixel votes with the gradient of the colour that changes most, for the two orientations (without
// direction) whose centres are nearest.
Cells count_orientations(Plane picture) {
  Cells cells{};
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      Gradient strongest;
      for (int colour = 0; colour < 3; ++colour) {
        const Gradient gradient = gradient_at(picture + colour * kSide * kSide, y, x);
        if (gradient.square() > strongest.square()) strongest = gradient;
      }
      const float strength = std::sqrt(strongest.square());
      if (strength == 0) continue;
      const float turn = std::atan2(strongest.down, strongest.across) / std::numbers::pi_v<float>;  // -1 .. 1
      const float place = (turn < 0 ? turn + 1 : turn) * kOrientations - .5F;  // -.5 .. 8.5
      const float lower = std::floor(place), share = place - lower;
      auto& cell = cells[static_cast<std::size_t>(y / kCell)][static_cast<std::size_t>(x / kCell)];
      const int bin = static_cast<int>(lower) + kOrientations;
      cell[static_cast<std::size_t>(bin % kOrientations)] += strength * (1 - share);
      cell[static_cast<std::size_t>((bin + 1) % kOrientations)] += strength * share;
    }
  }
  return cells;
}

void normalise(std::span<float> block) {
  float squares = 1e-2F;
  for (const float value : block) squares += value * value;
  const float length = std::sqrt(squares);
  for (float& value : block) value /= length;
}

// Blocks of 2 x 2 cells, each normalised, clipped at .2, and normalised again ("L2-Hys").
void add_blocks(const Cells& cells, float* out) {
  constexpr std::size_t kBlock = 4 * kOrientations;
  for (std::size_t y = 0; y + 1 < kCells; ++y) {
    for (std::size_t x = 0; x + 1 < kCells; ++x, out += kBlock) {
      float* end = out;
      for (const auto* cell : {&cells[y][x], &cells[y][x + 1], &cells[y + 1][x], &cells[y + 1][x + 1]})
        end = std::copy(cell->begin(), cell->end(), end);
      const std::span<float> block(out, kBlock);
      normalise(block);
      for (float& value : block) value = std::min(value, .2F);
      normalise(block);
    }
  }
}

}  // namespace

torch::Tensor pixel_features(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3, "pixel_features: pictures must be [B, 3, H, W]");
  static_assert(kColourFeatures == 3 * kCoarse * kCoarse && kCoarse * kColourCell == kSide);
  static_assert(kEdgeFeatures == (kCells - 1) * (kCells - 1) * 4 * kOrientations);
  const torch::NoGradGuard no_grad;
  const auto pixels = at_side(images);
  auto features = torch::empty({images.size(0), kPixelFeatures});
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const Plane picture = pixels.data_ptr<float>() + i * 3 * kSide * kSide;
    float* out = features.data_ptr<float>() + i * kPixelFeatures;
    for (int colour = 0; colour < 3; ++colour) out = add_colours(picture + colour * kSide * kSide, out);
    add_blocks(count_orientations(picture), out);
  }
  return features.to(images.device());
}

}  // namespace duet
