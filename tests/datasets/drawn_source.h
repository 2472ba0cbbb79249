// A data set whose pictures are drawn, for the tests of what reads one.
#pragma once
#include <cstdint>
#include <cstring>

#include "core/format.h"
#include "datasets/source.h"
#include "scratch.h"
#include "tensors/batch.h"

namespace duet::testing {

inline Source drawn_source(std::int64_t rows = 12) {
  Source source;
  source.name = "drawings";
  for (std::int64_t row = 0; row < rows; ++row)
    source.pairs.push_back({.image = cat("p", row, ".png"),
                            .captions = {cat("drawing ", row, ": red, green, blue"), "a drawing"},
                            .concept_key = row % 3 == 0 ? "" : cat("k", row % 3),
                            .columns = {},
                            .line = 0});
  source.draw = [](std::int64_t row) {
    return test_image(20 + static_cast<int>(row), 24, static_cast<int>(row));
  };
  return source;
}

// Whether picture `index` of uint8 [N, 3, S, S] is `image`.
inline bool holds(const torch::Tensor& images, std::int64_t index, const Image& image) {
  const torch::Tensor pixels = images[index].permute({1, 2, 0}).contiguous();  // [S, S, 3]
  return pixels.numel() == static_cast<std::int64_t>(image.rgb.size()) &&
         std::memcmp(pixels.const_data_ptr<std::uint8_t>(), image.rgb.data(), image.rgb.size()) == 0;
}

}  // namespace duet::testing
