// JPEG through libjpeg itself and not through OpenCV, which takes a file that ends half-way without a word.
#pragma once
#include <cstddef>
#include <span>

#include "datasets/image.h"

namespace duet {

// Decoded at the smallest scale of 1, 1/2, 1/4, 1/8 whose shorter side is at least `enough` (0: whole). Grey,
// YCCK and CMYK become RGB; the EXIF orientation is not applied. BadImage: truncated or damaged.
Image decode_jpeg(std::span<const std::byte> bytes, int enough);

}  // namespace duet
