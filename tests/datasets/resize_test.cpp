// Bringing a picture to the training size.
#include <gtest/gtest.h>

#include "datasets/image.h"
#include "scratch.h"

namespace duet {
namespace {

using testing::pixel;
using testing::test_image;

Image resized(const Image& image, int size, const char* how) {
  return resize_image(image, {.size = size, .resize = how});
}

TEST(ResizeImage, PadKeepsTheAspectOnWhite) {
  const Image image = resized(blank_image(40, 20, 0), 8, "pad");
  ASSERT_EQ(image.width, 8);
  ASSERT_EQ(image.height, 8);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) {
      const int value = y >= 2 && y < 6 ? 0 : 255;
      EXPECT_EQ(pixel(image, x, y), (std::vector{value, value, value})) << x << ", " << y;
    }
  // A line stays a line.
  EXPECT_EQ(pixel(resized(blank_image(1000, 1, 0), 8, "pad"), 4, 3), (std::vector{0, 0, 0}));
}

TEST(ResizeImage, CropTakesTheMiddleSquare) {
  Image image = blank_image(12, 4, 0);
  for (int y = 0; y < 4; ++y)
    for (int x = 4; x < 8; ++x) image.row(y)[3 * x] = 200;
  const Image middle = resized(image, 2, "crop");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pixel(middle, i % 2, i / 2), (std::vector{200, 0, 0}));
}

TEST(ResizeImage, ShrinkingAveragesAreas) {
  Image image = blank_image(4, 2, 0);
  const std::vector<int> left = {10, 20, 30, 40}, right = {100, 120, 140, 160};
  for (int i = 0; i < 4; ++i) {
    image.row(i / 2)[3 * (i % 2)] = static_cast<std::uint8_t>(left[static_cast<std::size_t>(i)]);
    image.row(i / 2)[3 * (2 + i % 2)] = static_cast<std::uint8_t>(right[static_cast<std::size_t>(i)]);
  }
  const Image small = scale_image(image, 2, 1);
  EXPECT_EQ(pixel(small, 0, 0)[0], 25);
  EXPECT_EQ(pixel(small, 1, 0)[0], 130);
}

TEST(ResizeImage, EnlargingInterpolatesAndMixedSidesDoBoth) {
  Image two = blank_image(2, 1, 0);
  two.row(0)[3] = 200;
  const Image four = scale_image(two, 4, 3);  // pixel centres at -.25, .25, .75, 1.25
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 4; ++x)
      EXPECT_NEAR(pixel(four, x, y)[0], std::vector<int>({0, 50, 150, 200})[static_cast<std::size_t>(x)], 1);
  Image wide = blank_image(4, 1, 0);
  wide.row(0)[0] = 100;
  const Image tall = resized(wide, 2, "squash");
  for (int y = 0; y < 2; ++y) {
    EXPECT_EQ(pixel(tall, 0, y)[0], 50);
    EXPECT_EQ(pixel(tall, 1, y)[0], 0);
  }
}

TEST(ResizeImage, TheSameSizeChangesNothing) {
  for (const char* how : {"pad", "crop", "squash"})
    EXPECT_EQ(resized(test_image(9, 9), 9, how).rgb, test_image(9, 9).rgb);
}

}  // namespace
}  // namespace duet
