// Pictures as 8-bit RGB, decoded defensively: header before pixels, size limit, truncation noticed, EXIF
// orientation applied, alpha on white, grey, palette, CMYK and 16-bit converted. OpenCV stays behind this
// header.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace duet {

struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]
  std::uint8_t* row(int y) { return rgb.data() + offset(y); }
  const std::uint8_t* row(int y) const { return rgb.data() + offset(y); }
  std::size_t offset(int y) const { return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * 3; }
};
Image blank_image(int width, int height, std::uint8_t value = 255);

// Why a picture cannot be used; what() says it without the path: "truncated JPEG", "is a HEIC picture, which is
// not supported; convert it to JPEG", "40000 x 40000 pixels, more than data.max_pixels", "empty file", "is a
// directory".
class BadImage : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct DecodeOptions {
  int enough = 0;  // JPEGs are decoded at the smallest scale whose shorter side is at least this; 0: whole
  std::int64_t max_pixels = 100'000'000;  // of the header; a larger picture is refused before it is decoded
};
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options);  // BadImage
Image load_image(const std::filesystem::path& path, const DecodeOptions& options);   // BadImage
// The file's bytes, at least one of them. BadImage: no such file, a directory, unreadable, empty.
std::vector<std::byte> read_picture(const std::filesystem::path& path);

// How a picture becomes size x size where nothing is random; stored in checkpoint and bundle ("preprocessing").
struct Preprocessing {
  int size = 64;
  std::string resize = "pad";  // pad: aspect kept, centred on white | crop: shortest side, centre | squash
  std::vector<double> mean = {0.5, 0.5, 0.5}, std = {0.5, 0.5, 0.5};  // of values in 0..1
};
Image resize_image(const Image& image, const Preprocessing& preprocessing);
// Aspect not kept: INTER_AREA along a side that shrinks, bilinear along one that grows.
Image scale_image(const Image& image, int width, int height);

void write_png(const std::filesystem::path& path, const Image& image);
std::string png_bytes(const Image& image);
std::string jpeg_bytes(const Image& image, int quality);

}  // namespace duet
