// Fixed positions of a picture's cells, for towers and for decoders of patches.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace duet {

// Sine and cosine of both coordinates (Chen et al. 2021, MoCo v3) -> [height * width, D] float; channels D: a
// multiple of 4. Coordinates run over the native grid whatever the picture's size, as interpolated positions
// do.
torch::Tensor sincos_positions(std::int64_t height, std::int64_t width, std::int64_t grid,
                               std::int64_t channels);

}  // namespace duet
