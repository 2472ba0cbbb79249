// What a picture file says of itself before a pixel is decoded: its type by magic numbers (never by its name),
// its size and its EXIF orientation. JPEG, PNG (third edition), WebP (RFC 9649), GIF89a, BMP, EXIF 2.32.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace duet {

struct ImageHeader {
  std::string_view type;               // "JPEG", "PNG", "WebP", "GIF" or "BMP"
  std::int64_t width = 0, height = 0;  // as stored, before the orientation is applied
  bool truncated = false;              // the file ends before the pixels that the header speaks of (BMP)
  int orientation = 1;                 // EXIF: 1 upright ... 8
};

// BadImage: empty, of another type (which is named), cut off inside the header, no pixels.
ImageHeader read_image_header(std::span<const std::byte> bytes);

// What a file is by its first bytes, with an article: "a PNG picture", "a ZIP archive", "an HTML page". Empty
// for plain text and for what duet does not know.
std::string kind_of_file(std::string_view bytes);

}  // namespace duet
