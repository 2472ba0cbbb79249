#include "datasets/augment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/format.h"
#include "scratch.h"

namespace duet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::test_image;

constexpr int kSize = 64;

Preprocessing how(const std::string& resize, int size = kSize) {
  Preprocessing preprocessing;
  preprocessing.size = size;
  preprocessing.resize = resize;
  return preprocessing;
}

Image drawn(const Image& image, const Augmentation& options, std::uint64_t seed,
            const std::string& resize = "pad", int size = kSize) {
  Random random(seed);
  return augment(image, options, how(resize), size, random);
}

double luma(const std::uint8_t* p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

Image mirrored(const Image& image) {
  Image result = image;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      std::copy_n(image.row(y) + 3 * x, 3, result.row(y) + 3 * (image.width - 1 - x));
  return result;
}

// Red grows from left to right, green from top to bottom: a view tells where it was taken from.
Image map_image(int width, int height) {
  Image image = blank_image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<std::uint8_t>(x * 255 / (width - 1));
      image.row(y)[3 * x + 1] = static_cast<std::uint8_t>(y * 255 / (height - 1));
    }
  return image;
}

Image middle_colours(std::uint64_t seed) {  // so that nothing is clamped
  Image image = blank_image(kSize, kSize);
  Random random(seed);
  for (auto& value : image.rgb) value = static_cast<std::uint8_t>(104 + random.below(48));
  return image;
}

TEST(Augment, WithoutOptionsIsResize) {
  for (const char* resize : {"pad", "crop", "squash"})
    for (const auto& [width, height] : {std::pair{64, 64}, {100, 37}, {20, 50}, {1, 1}})
      for (const int size : {64, 33}) {
        const Image image = test_image(width, height);
        EXPECT_EQ(drawn(image, {}, 1, resize, size).rgb, resize_image(image, how(resize, size)).rgb)
            << resize << width << "x" << height;
      }
}

TEST(Augment, SameRandomSameView) {
  const Augmentation all{.crop_low = 0.3,
                         .flip = 0.5,
                         .rotation = 20,
                         .brightness = 0.4,
                         .contrast = 0.4,
                         .saturation = 0.4,
                         .hue = 0.1,
                         .grayscale = 0.2,
                         .blur = 0.5};
  const Image image = test_image(80, 60);
  EXPECT_EQ(drawn(image, all, 5).rgb, drawn(image, all, 5).rgb);
  EXPECT_NE(drawn(image, all, 5).rgb, drawn(image, all, 6).rgb);
}

TEST(Augment, FlipMirrors) {
  const Image image = test_image(50, 64), plain = resize_image(image, how("pad"));
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Image view = drawn(image, {.flip = 0.25}, seed);
    const bool mirror = view.rgb == mirrored(plain).rgb;
    EXPECT_TRUE(mirror || view.rgb == plain.rgb);
    flipped += mirror;
  }
  EXPECT_NEAR(flipped, 100, 30);
}

TEST(Augment, FlippedCropIsTheCropMirrored) {
  const Image image = test_image(64, 64);
  const Augmentation crop{.crop_low = 0.3, .crop_high = 0.6};
  Augmentation flip = crop;
  flip.flip = 1;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image expected = mirrored(drawn(image, crop, seed)), view = drawn(image, flip, seed);
    int largest = 0;  // OpenCV rounds source positions to 1/32 pixel
    for (std::size_t i = 0; i < view.rgb.size(); ++i)
      largest = std::max(largest, std::abs(view.rgb[i] - expected.rgb[i]));
    EXPECT_LE(largest, 24);
  }
}

TEST(Augment, CropHasItsShareOfTheArea) {
  for (const std::string resize : {"crop", "squash"}) {
    const int width = 256, height = 200;
    const Image image = map_image(width, height);
    const double natural = resize == "squash" ? static_cast<double>(width) / height : 1;
    double area = 0, stretch = 0, right = 0;
    constexpr int kDraws = 2000;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
      const Image view = drawn(image, {.crop_low = 0.2, .crop_high = 0.4}, seed, resize);
      const std::uint8_t *first = view.row(0), *last = view.row(kSize - 1) + 3 * (kSize - 1);
      const double scale = kSize / (kSize - 1.0) / 255;
      const double across = (last[0] - first[0]) * scale,
                   down = (last[1] - first[1]) * scale;  // in picture sides
      const double share = across * down, aspect = across * width / (down * height) / natural;
      EXPECT_GT(share, 0.2 * 0.95);
      EXPECT_LT(share, 0.4 * 1.05);
      EXPECT_GT(aspect, 0.75 * 0.95);
      EXPECT_LT(aspect, 4.0 / 3 * 1.05);
      area += share / kDraws;
      stretch += std::log(aspect) / kDraws;
      right += (first[0] + last[0]) / 510.0 / kDraws;
    }
    EXPECT_NEAR(area, 0.3, 0.006);
    EXPECT_NEAR(stretch, 0, 0.02);
    EXPECT_NEAR(right, 0.5, 0.015);
  }
}

TEST(Augment, CropsShowNothingFromOutside) {
  const Image black = blank_image(90, 60, 0);
  for (const char* resize : {"crop", "squash"})
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const Image view = drawn(black, {.crop_low = 0.1}, seed, resize);
      EXPECT_EQ(*std::max_element(view.rgb.begin(), view.rgb.end()), 0);
    }
}

TEST(Augment, CropsOfPaddedPicturesLieOnThePicture) {
  for (const auto& [width, height] : {std::pair{200, 50}, {50, 200}, {64, 64}}) {
    const Image black = blank_image(width, height, 0);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const Image view = drawn(black, {.crop_low = 0.08, .crop_high = 0.2}, seed);
      const auto dark = std::count_if(view.rgb.begin(), view.rgb.end(), [](int value) { return value < 128; });
      // The short side is a quarter of the long one, a crop's longest side sqrt(.2 * 4/3) = .52 of it.
      EXPECT_GT(static_cast<double>(dark) / static_cast<double>(view.rgb.size()), 0.4);
    }
  }
}

TEST(Augment, RotationTurnsAboutTheCentreWithinItsRange) {
  Image dot = blank_image(kSize, kSize);  // black, right of the centre
  for (int y = 29; y < 35; ++y)
    for (int x = 49; x < 55; ++x) std::fill_n(dot.row(y) + 3 * x, 3, std::uint8_t{0});
  double mean = 0, square = 0;
  constexpr int kDraws = 1000;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const Image view = drawn(dot, {.rotation = 30}, seed);
    double weight = 0, sum_x = 0, sum_y = 0;
    for (int y = 0; y < kSize; ++y)
      for (int x = 0; x < kSize; ++x) {
        const double dark = 255 - view.row(y)[3 * x];
        weight += dark, sum_x += dark * (x - 31.5), sum_y += dark * (y - 31.5);
      }
    const double radius = std::hypot(sum_x, sum_y) / weight;
    const double degrees = std::atan2(sum_y, sum_x) * 180 / std::numbers::pi;
    EXPECT_NEAR(radius, 20, 0.2);
    EXPECT_LE(std::abs(degrees), 30.5);
    mean += degrees / kDraws;
    square += degrees * degrees / kDraws;
  }
  EXPECT_NEAR(mean, 0, 2);
  EXPECT_NEAR(std::sqrt(square), 30 / std::sqrt(3.0), 1);
}

TEST(Augment, RotationShowsWhiteCorners) {
  const Image black = blank_image(kSize, kSize, 0);
  int white = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image view = drawn(black, {.rotation = 45}, seed);
    EXPECT_EQ(view.row(32)[3 * 32], 0);
    white += view.row(0)[0] == 255;
  }
  EXPECT_GE(white, 15);
}

TEST(Augment, ShrinkingAverages) {
  Image noise = blank_image(1000, 1000);
  Random random(3);
  for (auto& value : noise.rgb) value = static_cast<std::uint8_t>(random.below(256));
  const Image view = drawn(noise, {.crop_low = 0.8, .rotation = 10}, 1, "crop", 32);
  const double centre = view.row(16)[3 * 16];
  EXPECT_NEAR(centre, 127.5, 20);
  double spread = 0;
  for (int x = 8; x < 24; ++x) spread += std::pow(view.row(16)[3 * x] - 127.5, 2) / 16;
  EXPECT_LT(std::sqrt(spread), 8);  // a single pixel's is 74
}

TEST(Augment, JitterKeepsGreyGrey) {
  Image grey = blank_image(kSize, kSize);
  for (std::size_t i = 0; i < grey.rgb.size(); ++i) grey.rgb[i] = static_cast<std::uint8_t>(i / 3 % 256);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Image view = drawn(grey, {.brightness = 0.8, .contrast = 1, .saturation = 1, .hue = 0.5}, seed);
    for (std::size_t i = 0; i < view.rgb.size(); i += 3) {
      ASSERT_EQ(view.rgb[i], view.rgb[i + 1]);
      ASSERT_EQ(view.rgb[i], view.rgb[i + 2]);
    }
  }
}

TEST(Augment, HueTurnsColourAndKeepsLumaAndChroma) {
  const Image image = middle_colours(1);
  double mean = 0, square = 0;
  constexpr int kDraws = 300;
  const auto plane = [](const std::uint8_t* p) {
    return std::array{0.492 * (p[2] - luma(p)), 0.877 * (p[0] - luma(p))};
  };
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const Image view = drawn(image, {.hue = 0.1}, seed);
    double cosine = 0, sine = 0;
    for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
      const auto [u, v] = plane(&image.rgb[i]);
      const auto [turned_u, turned_v] = plane(&view.rgb[i]);
      ASSERT_NEAR(luma(&view.rgb[i]), luma(&image.rgb[i]), 1);
      ASSERT_NEAR(std::hypot(turned_u, turned_v), std::hypot(u, v), 1.3);
      cosine += u * turned_u + v * turned_v;
      sine += u * turned_v - v * turned_u;
    }
    const double turns = std::atan2(sine, cosine) / (2 * std::numbers::pi);
    EXPECT_LE(std::abs(turns), 0.101);
    mean += turns / kDraws;
    square += turns * turns / kDraws;
  }
  EXPECT_NEAR(mean, 0, 0.01);
  EXPECT_NEAR(std::sqrt(square), 0.1 / std::sqrt(3.0), 0.006);
}

TEST(Augment, BrightnessIsOneFactor) {
  const Image image = middle_colours(2);
  double mean = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Image view = drawn(image, {.brightness = 0.4}, seed);
    double dot = 0, norm = 0;
    for (std::size_t i = 0; i < image.rgb.size(); ++i)
      dot += view.rgb[i] * image.rgb[i], norm += image.rgb[i] * image.rgb[i];
    const double factor = dot / norm;
    EXPECT_GT(factor, 0.598);
    EXPECT_LT(factor, 1.402);
    for (std::size_t i = 0; i < image.rgb.size(); ++i) ASSERT_NEAR(view.rgb[i], image.rgb[i] * factor, 0.8);
    mean += factor / 300;
  }
  EXPECT_NEAR(mean, 1, 0.05);
}

TEST(Augment, ContrastKeepsTheMeanAndScalesAboutIt) {
  const Image image = middle_colours(3);
  double mean = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3)
    mean += luma(&image.rgb[i]) * 3 / static_cast<double>(image.rgb.size());
  double smallest = 9, largest = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Image view = drawn(image, {.contrast = 0.5}, seed);
    double dot = 0, norm = 0;
    for (std::size_t i = 0; i < image.rgb.size(); ++i)
      dot += (view.rgb[i] - mean) * (image.rgb[i] - mean), norm += std::pow(image.rgb[i] - mean, 2);
    const double factor = dot / norm;
    for (std::size_t i = 0; i < image.rgb.size(); ++i)
      ASSERT_NEAR(view.rgb[i], mean + factor * (image.rgb[i] - mean), 1);
    smallest = std::min(smallest, factor), largest = std::max(largest, factor);
  }
  EXPECT_NEAR(smallest, 0.5, 0.1);
  EXPECT_NEAR(largest, 1.5, 0.1);
}

TEST(Augment, SaturationMovesColoursToAndFromTheirLuma) {
  const Image image = middle_colours(4);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Image view = drawn(image, {.saturation = 0.8}, seed);
    double dot = 0, norm = 0;
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      const double grey = luma(&image.rgb[i - i % 3]), away = image.rgb[i] - grey;
      dot += (view.rgb[i] - grey) * away, norm += away * away;
    }
    const double factor = dot / norm;
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      const double grey = luma(&image.rgb[i - i % 3]);
      ASSERT_NEAR(view.rgb[i], grey + factor * (image.rgb[i] - grey), 1);
    }
  }
}

TEST(Augment, GrayscaleIsLumaAndChangesNoOtherDraw) {
  const Image image = test_image(64, 64);
  const Augmentation crop{.crop_low = 0.5, .rotation = 10};
  Augmentation gray = crop;
  gray.grayscale = 1;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image colour = drawn(image, crop, seed), view = drawn(image, gray, seed);
    for (std::size_t i = 0; i < view.rgb.size(); i += 3) {
      ASSERT_EQ(view.rgb[i], view.rgb[i + 1]);
      ASSERT_EQ(view.rgb[i], view.rgb[i + 2]);
      ASSERT_NEAR(view.rgb[i], luma(&colour.rgb[i]), 1);
    }
  }
}

TEST(Augment, ProbabilitiesOfJitterAndGrayscale) {
  const Image image = test_image(64, 64);
  int jittered = 0, gray = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    jittered += drawn(image, {.hue = 0.2, .jitter = 0.3}, seed).rgb != image.rgb;
    gray += drawn(image, {.grayscale = 0.2}, seed).rgb != image.rgb;
  }
  EXPECT_NEAR(jittered, 300, 60);
  EXPECT_NEAR(gray, 200, 55);
}

TEST(Augment, BlurSpreadsAPointBySigma) {
  Image point = blank_image(kSize, kSize, 0);
  std::fill_n(point.row(32) + 3 * 32, 3, std::uint8_t{255});
  for (auto* row : {point.row(31), point.row(32), point.row(33)})
    std::fill_n(row + 3 * 31, 9, std::uint8_t{255});
  const Image view = drawn(point, {.blur = 1, .blur_low = 2, .blur_high = 2}, 1);
  double weight = 0, square = 0;
  for (int y = 0; y < kSize; ++y)
    for (int x = 0; x < kSize; ++x)
      weight += view.row(y)[3 * x], square += view.row(y)[3 * x] * std::pow(x - 32, 2);
  EXPECT_NEAR(weight, 9 * 255, 9 * 255 * 0.05);
  EXPECT_NEAR(square / weight, 4 + 2.0 / 3, 0.4);  // variances add: sigma squared and the square's own
  const Image flat = blank_image(kSize, kSize, 77);
  EXPECT_EQ(drawn(flat, {.blur = 1}, 1).rgb, flat.rgb);
}

TEST(Augment, ReadsItsTable) {
  Config config = Config::parse(R"(
    size = 48
    count = 2
    crop = [0.4, 0.9]
    aspect = [0.5, 2]
    flip = 0.5
    rotation = 12
    brightness = 0.1
    contrast = 0.2
    saturation = 0.3
    hue = 0.04
    jitter = 0.8
    grayscale = 0.2
    blur = 0.5
    blur_sigma = [0.2, 1.5]
  )",
                                "recipe.toml");
  const ViewSpec view = read_view(config, "global");
  config.finish();
  EXPECT_EQ(view.name, "global");
  EXPECT_EQ(view.size, 48);
  EXPECT_EQ(view.count, 2);
  EXPECT_EQ(view.augmentation, (Augmentation{.crop_low = 0.4,
                                             .crop_high = 0.9,
                                             .aspect_low = 0.5,
                                             .aspect_high = 2,
                                             .flip = 0.5,
                                             .rotation = 12,
                                             .brightness = 0.1,
                                             .contrast = 0.2,
                                             .saturation = 0.3,
                                             .hue = 0.04,
                                             .jitter = 0.8,
                                             .grayscale = 0.2,
                                             .blur = 0.5,
                                             .blur_low = 0.2,
                                             .blur_high = 1.5}));
  Config empty = Config::parse("", "recipe.toml");
  EXPECT_EQ(read_view(empty, "main").augmentation, Augmentation());
}

TEST(Augment, RefusesWhatIsOutOfRange) {
  for (const std::string line :
       {"crop = [0.9, 0.1]", "crop = [0.0, 1]", "crop = [0.5]", "hue = 0.7", "rotation = -1",
        "blur_sigma = [2, 1]", "count = 0", "flip = 1.5", "aspect = [0.5, 2, 3]"}) {
    Config config = Config::parse(line, "recipe.toml");
    const std::string message = error_of([&] { read_view(config, "main"); }, Exit::usage);
    EXPECT_THAT(message, HasSubstr("recipe.toml:1")) << line;
    EXPECT_THAT(message, HasSubstr(line.substr(0, line.find(' ')))) << line;
  }
}

}  // namespace
}  // namespace duet
