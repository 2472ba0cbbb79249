#include "datasets/image.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <system_error>
#include <utility>

#include "core/files.h"
#include "core/format.h"
#include "datasets/image_header.h"
#include "datasets/jpeg.h"

namespace duet {
namespace {

cv::Mat mat_of(Image& image) { return {image.height, image.width, CV_8UC3, image.rgb.data()}; }
cv::Mat mat_of(const Image& image) { return mat_of(const_cast<Image&>(image)); }  // for reading only

std::uint32_t crc32(std::span<const std::byte> bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1 ^ (made[i] & 1 ? 0xEDB88320U : 0U);
    }
    return made;
  }();
  std::uint32_t crc = ~0U;
  for (const std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<std::uint32_t>(b)) & 0xFF];
  return ~crc;
}

// The chunks that make the pixels, each checked against its CRC. libpng would write its opinion of the others
// (a known bad colour profile, say) straight to stderr, through the progress bar.
std::vector<std::byte> essential_png(std::span<const std::byte> bytes) {
  const auto big = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint32_t>(bytes[at + i]);
    return value;
  };
  std::vector<std::byte> kept(bytes.begin(), bytes.begin() + 8);
  kept.reserve(bytes.size());
  bool has_pixels = false;
  for (std::size_t at = 8;;) {
    if (at + 12 > bytes.size()) throw BadImage("truncated PNG");
    const std::size_t length = big(at);
    if (length > bytes.size() - at - 12) throw BadImage("truncated PNG");
    const std::string_view name(reinterpret_cast<const char*>(&bytes[at + 4]), 4);
    if (at == 8 && name != "IHDR") throw BadImage("damaged PNG: no header");
    if (name == "IHDR" || name == "PLTE" || name == "tRNS" || name == "IDAT" || name == "IEND") {
      if (crc32(bytes.subspan(at + 4, length + 4)) != big(at + 8 + length))
        throw BadImage(cat("damaged PNG: wrong checksum of ", name));
      kept.insert(kept.end(), bytes.begin() + at, bytes.begin() + at + length + 12);
      has_pixels = has_pixels || name == "IDAT";
    }
    if (name == "IEND") {
      if (!has_pixels) throw BadImage("damaged PNG: no pixels");
      return kept;
    }
    at += length + 12;
  }
}

// Blue, green, red, alpha over white.
void put_on_white(const cv::Mat& bgra, Image& image) {
  for (int y = 0; y < bgra.rows; ++y) {
    const std::uint8_t* from = bgra.ptr(y);
    std::uint8_t* to = image.row(y);
    for (int x = 0; x < bgra.cols; ++x, from += 4, to += 3)
      for (int c = 0; c < 3; ++c)
        to[c] = static_cast<std::uint8_t>((from[2 - c] * from[3] + 255 * (255 - from[3]) + 127) / 255);
  }
}

Image rgb_of(cv::Mat decoded) {
  if (decoded.depth() == CV_16U) decoded.convertTo(decoded, CV_8U, 1.0 / 257.0);
  Image image = blank_image(decoded.cols, decoded.rows);
  cv::Mat target = mat_of(image);
  switch (decoded.type()) {
    case CV_8UC1:
      cv::cvtColor(decoded, target, cv::COLOR_GRAY2RGB);
      break;
    case CV_8UC3:
      cv::cvtColor(decoded, target, cv::COLOR_BGR2RGB);
      break;
    case CV_8UC4:
      put_on_white(decoded, image);
      break;
    default:
      throw BadImage("has an unusual kind of pixels; convert it to JPEG or PNG");
  }
  return image;
}

Image decode_by_opencv(std::span<const std::byte> bytes, std::string_view type) {
  cv::Mat decoded;
  try {
    const cv::Mat source(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<std::byte*>(bytes.data()));
    decoded = cv::imdecode(source, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception& error) {
    throw BadImage(cat("damaged ", type, ": ", error.err));
  }
  if (!decoded.empty()) return rgb_of(std::move(decoded));
  constexpr bool reads_gif = CV_VERSION_MAJOR * 100 + CV_VERSION_MINOR >= 411;
  if (type == "GIF" && !reads_gif)
    throw BadImage("is a GIF, which OpenCV " CV_VERSION " does not read; convert it to PNG");
  throw BadImage(cat("truncated or damaged ", type));
}

// The eight cases of EXIF: what has to be done to see the picture upright.
Image upright(Image image, int orientation) {
  if (orientation <= 1) return image;
  const bool lies = orientation >= 5;
  Image turned = blank_image(lies ? image.height : image.width, lies ? image.width : image.height);
  const cv::Mat from = mat_of(image);
  cv::Mat to = mat_of(turned);
  switch (orientation) {
    case 2:
      cv::flip(from, to, 1);
      break;
    case 3:
      cv::flip(from, to, -1);
      break;
    case 4:
      cv::flip(from, to, 0);
      break;
    case 5:
      cv::transpose(from, to);
      break;
    case 6:
      cv::rotate(from, to, cv::ROTATE_90_CLOCKWISE);
      break;
    case 7:
      cv::transpose(from, to);
      cv::flip(to, to, -1);
      break;
    default:
      cv::rotate(from, to, cv::ROTATE_90_COUNTERCLOCKWISE);
      break;
  }
  return turned;
}

void scale_into(const cv::Mat& from, cv::Mat to) {
  cv::Mat smaller = from;  // INTER_AREA averages only where it shrinks: a side that grows comes second
  const cv::Size less(std::min(from.cols, to.cols), std::min(from.rows, to.rows));
  if (less != from.size()) cv::resize(from, smaller, less, 0, 0, cv::INTER_AREA);
  if (less == to.size()) {
    smaller.copyTo(to);
  } else {
    cv::resize(smaller, to, to.size(), 0, 0, cv::INTER_LINEAR);
  }
}

std::string encoded(const char* extension, const Image& image, const std::vector<int>& parameters) {
  cv::Mat bgr;
  cv::cvtColor(mat_of(image), bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> bytes;
  if (!cv::imencode(extension, bgr, bytes, parameters))
    fail(Exit::failed, {}, cat("OpenCV cannot write ", extension, " pictures"));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Image blank_image(int width, int height, std::uint8_t value) {
  Image image{width, height, {}};
  image.rgb.assign(image.offset(height), value);
  return image;
}

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const ImageHeader header = read_image_header(bytes);
  if (header.width > options.max_pixels / header.height)  // the product may not fit
    throw BadImage(
        cat(header.width, " x ", header.height, " pixels, more than data.max_pixels = ", options.max_pixels));
  if (header.truncated) throw BadImage(cat("truncated ", header.type));
  if (header.type == "JPEG") return upright(decode_jpeg(bytes, options.enough), header.orientation);
  if (header.type == "PNG")
    return upright(decode_by_opencv(essential_png(bytes), header.type), header.orientation);
  return upright(decode_by_opencv(bytes, header.type), header.orientation);
}

std::vector<std::byte> read_picture(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) throw BadImage("no such file");
  if (error) throw BadImage(cat("cannot be read: ", error.message()));
  if (status.type() == fs::file_type::directory) throw BadImage("is a directory");
  if (status.type() != fs::file_type::regular) throw BadImage("is no regular file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::uintmax_t size = fs::file_size(path, error);
  std::vector<std::byte> bytes(error ? 0 : size);
  if (!file || error ||
      !file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    throw BadImage(cat("cannot be read: ", error        ? error.message()
                                           : errno != 0 ? std::strerror(errno)
                                                        : "it is being written"));
  if (bytes.empty()) throw BadImage("empty file");
  return bytes;
}

Image load_image(const fs::path& path, const DecodeOptions& options) {
  return decode_image(read_picture(path), options);
}

Image scale_image(const Image& image, int width, int height) {
  Image scaled = blank_image(width, height);
  scale_into(mat_of(image), mat_of(scaled));
  return scaled;
}

Image resize_image(const Image& image, const Preprocessing& preprocessing) {
  const int size = preprocessing.size;
  const cv::Mat from = mat_of(image);
  Image result = blank_image(size, size);
  cv::Mat to = mat_of(result);
  if (preprocessing.resize == "squash") {
    scale_into(from, to);
  } else if (preprocessing.resize == "crop") {
    const int side = std::min(image.width, image.height);
    scale_into(from(cv::Rect((image.width - side) / 2, (image.height - side) / 2, side, side)), to);
  } else {
    const double scale = static_cast<double>(size) / std::max(image.width, image.height);
    const auto scaled = [&](int side) {
      return std::clamp(static_cast<int>(std::lround(side * scale)), 1, size);
    };
    const int width = scaled(image.width), height = scaled(image.height);
    scale_into(from, to(cv::Rect((size - width) / 2, (size - height) / 2, width, height)));
  }
  return result;
}

void write_png(const fs::path& path, const Image& image) { write_file(path, png_bytes(image)); }

std::string png_bytes(const Image& image) { return encoded(".png", image, {}); }

std::string jpeg_bytes(const Image& image, int quality) {
  return encoded(".jpg", image, {cv::IMWRITE_JPEG_QUALITY, quality});
}

}  // namespace duet
