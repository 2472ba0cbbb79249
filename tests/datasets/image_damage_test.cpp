// Pictures cut short or with other bytes: refused, never a crash.
#include <gtest/gtest.h>

#include "core/random.h"
#include "encoded_image.h"

namespace duet {
namespace {

using testing::bgr_of;
using testing::by_opencv;
using testing::bytes_of;
using testing::test_image;
using testing::why;

struct Fixture {
  const char* name;
  std::string bytes;
};

std::vector<Fixture> jpegs() {
  const cv::Mat bgr = bgr_of(test_image(48, 40));
  return {
      {"baseline", by_opencv(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 90})},
      {"progressive", by_opencv(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 90, cv::IMWRITE_JPEG_PROGRESSIVE, 1})},
      {"restart", by_opencv(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 90, cv::IMWRITE_JPEG_RST_INTERVAL, 2})},
      {"grey", by_opencv(".jpg", cv::Mat(40, 48, CV_8UC1, cv::Scalar(9)))}};
}

TEST(ImageDamage, EveryCutJpegIsRefusedAtEveryScale) {
  for (const auto& [name, bytes] : jpegs()) {
    EXPECT_EQ(why(bytes), "") << name;
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_NE(why(bytes.substr(0, size), {.enough = size % 2 == 0 ? 0 : 5}), "")
          << name << " cut to " << size;
  }
  const std::string bytes = jpegs()[0].bytes;
  EXPECT_EQ(why(bytes.substr(0, bytes.size() / 2)), "truncated JPEG");
  EXPECT_EQ(why(bytes.substr(0, bytes.size() - 2)), "truncated JPEG");
}

TEST(ImageDamage, BytesBehindTheEndOfAJpegDoNoHarm) {
  EXPECT_EQ(why(jpegs()[0].bytes + "trailer of a camera"), "");
}

std::vector<Fixture> others() {
  const cv::Mat bgr = bgr_of(test_image(48, 40));
  return {{"png", by_opencv(".png", bgr)},
          {"webp", by_opencv(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 80})},
          {"webp lossless", by_opencv(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 101})},
          {"bmp", by_opencv(".bmp", bgr)}};
}

TEST(ImageDamage, EveryCutPngWebpAndBmpIsRefused) {
  for (const auto& [name, bytes] : others())
    for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 100)
      EXPECT_NE(why(bytes.substr(0, size)), "") << name << " cut to " << size;
}

TEST(ImageDamage, FlippedBytesNeverCrash) {
  std::vector<Fixture> all = jpegs();
  for (Fixture& fixture : others()) all.push_back(std::move(fixture));
  Random random(7);
  int refused = 0, decoded = 0;
  for (const auto& [name, bytes] : all)
    for (int i = 0; i < 500; ++i) {
      std::string mutated = bytes;
      for (std::uint64_t flips = 1 + random.below(3); flips-- > 0;)
        mutated[random.below(mutated.size())] = static_cast<char>(random.bits());
      if (i % 10 == 0) mutated.resize(random.below(mutated.size()));
      try {
        const Image image =
            decode_image(bytes_of(mutated), {.enough = i % 3 == 0 ? 10 : 0, .max_pixels = 1'000'000});
        EXPECT_EQ(image.rgb.size(), static_cast<std::size_t>(image.width * image.height * 3));
        ++decoded;
      } catch (const BadImage&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 1000);
  EXPECT_EQ(refused + decoded, 4000);
  RecordProperty("refused", refused);
}

TEST(ImageDamage, AFlippedByteInPngPixelsIsRefused) {
  const std::string png = png_bytes(test_image(48, 40));
  const std::size_t pixels = png.find("IDAT") + 4;
  for (std::size_t at = pixels; at < png.size() - 16; at += 13) {
    std::string mutated = png;
    mutated[at] ^= 0x10;
    EXPECT_EQ(why(mutated), "damaged PNG: wrong checksum of IDAT") << at;
  }
}

}  // namespace
}  // namespace duet
