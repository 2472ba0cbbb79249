// What can be said of a picture without learning: its colours on a coarse grid, and histograms of oriented
// gradients (Dalal and Triggs 2005). Beside a tower's feature they let a ridge space find by shape what the
// tower has never seen.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace duet {

constexpr std::int64_t kColourFeatures = 16 * 16 * 3;  // mean colour of 16 x 16 cells
constexpr std::int64_t kEdgeFeatures =
    7 * 7 * 4 * 9;  // blocks of 2 x 2 cells of 8 x 8 pixels in 9 orientations
constexpr std::int64_t kPixelFeatures = kColourFeatures + kEdgeFeatures;

// [B, 3, H, W] of 0..255 (uint8 or float) -> [B, kPixelFeatures] fp32: colours (0..1), then edges. Pictures of
// another size are brought to 64 x 64 first.
torch::Tensor pixel_features(const torch::Tensor& images);

}  // namespace duet
