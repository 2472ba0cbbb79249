#include "datasets/corruption.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "scratch.h"

namespace duet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::test_image;

// A disk with an edge on waves of all lengths, the longer the stronger, as photos have them.
Image scene(int width, int height, std::uint64_t seed = 1) {
  constexpr int kWaves = 40;
  Random random(seed);
  std::vector<double> sums(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, 120);
  for (int wave = 0; wave < kWaves; ++wave) {
    const double frequency = .02 * std::pow(25, random.uniform()), angle = random.uniform(0, 6.28);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const int pixel = static_cast<int>(i / 3), x = pixel % width, y = pixel / width;
      const double phase =
          frequency * (x * std::cos(angle) + y * std::sin(angle)) + .02 * static_cast<double>(i % 3);
      sums[i] += .6 / (frequency + .03) * std::sin(2 * std::numbers::pi * phase);
    }
  }
  Image image = blank_image(width, height);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const int pixel = static_cast<int>(i / 3), x = pixel % width, y = pixel / width;
    const bool disk = std::hypot(x - width * .6, y - height * .4) < .25 * std::max(width, height);
    image.rgb[i] = static_cast<std::uint8_t>(std::clamp(sums[i] + (disk ? 70. : 0.), 0., 255.));
  }
  return image;
}

double difference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

class Corruptions : public ::testing::TestWithParam<std::string_view> {};

const std::vector<Image>& scenes() {
  static const std::vector<Image> all = [] {
    std::vector<Image> made;
    for (const auto& [width, height] : {std::pair{64, 64}, {32, 32}, {96, 96}, {60, 40}}) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) made.push_back(scene(width, height, seed));
    }
    return made;
  }();
  return all;
}

TEST_P(Corruptions, EachStrengthChangesMoreThanTheOneBefore) {
  for (std::size_t first = 0; first < scenes().size(); first += 4) {  // of one size
    double before = .5;                                               // of 255
    for (int strength = 1; strength <= kStrengths; ++strength) {
      double now = 0;
      for (std::size_t i = first; i < first + 4; ++i) {
        const Image& image = scenes()[i];
        const Image spoilt = corrupted(image, GetParam(), strength);
        ASSERT_EQ(spoilt.width, image.width);
        ASSERT_EQ(spoilt.height, image.height);
        ASSERT_EQ(spoilt.rgb.size(), image.rgb.size());
        now += difference(image, spoilt) / 4;
      }
      EXPECT_GT(now, before) << strength << " of " << scenes()[first].width << " pixels";
      before = now;
    }
    EXPECT_LT(before, 120);  // something is left
  }
}

TEST_P(Corruptions, FollowsFromSeedAndPicture) {
  const Image image = scene(48, 48);
  const Image once = corrupted(image, GetParam(), 3, 7);
  EXPECT_EQ(corrupted(image, GetParam(), 3, 7).rgb, once.rgb);
  const std::set<std::string_view> random = {"gaussian_noise", "shot_noise", "impulse_noise", "motion_blur"};
  EXPECT_EQ(corrupted(image, GetParam(), 3, 8).rgb != once.rgb, random.contains(GetParam()));
}

TEST_P(Corruptions, SmallestPictures) {
  for (const int side : {1, 2, 3}) EXPECT_EQ(corrupted(scene(side, side), GetParam(), 5).width, side);
}

INSTANTIATE_TEST_SUITE_P(All, Corruptions, ::testing::ValuesIn(kCorruptions),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(Corruption, KindsAreUnique) {
  EXPECT_EQ(std::set(kCorruptions.begin(), kCorruptions.end()).size(), kCorruptions.size());
}

// The noise of equal pictures is equal, whatever their rows; that of others is not.
TEST(Corruption, NoiseBelongsToThePicture) {
  const Image grey = blank_image(32, 32, 128);
  Image other = grey;
  other.rgb[0] = 129;
  const Image a = corrupted(grey, "gaussian_noise", 2), b = corrupted(other, "gaussian_noise", 2);
  EXPECT_GT(difference(a, b), 5);
}

TEST(Corruption, NoiseHasTheStrengthOfTheTable) {
  const Image grey = blank_image(128, 128, 128);
  const auto moments = [&](const Image& image) {
    double sum = 0, squares = 0;
    for (const std::uint8_t value : image.rgb) sum += value, squares += value * value;
    const double mean = sum / static_cast<double>(image.rgb.size());
    return std::pair(mean, std::sqrt(squares / static_cast<double>(image.rgb.size()) - mean * mean));
  };
  const auto [mean, deviation] = moments(corrupted(grey, "gaussian_noise", 2));
  EXPECT_NEAR(mean, 128, .5);
  EXPECT_NEAR(deviation, .08 * 255, .3);
  const auto [photons, spread] = moments(corrupted(grey, "shot_noise", 3));  // Poisson of 50 at its brightest
  EXPECT_NEAR(photons, 128, .6);
  EXPECT_NEAR(spread, std::sqrt(128. / 255 / 50) * 255, .4);
  const Image dots = corrupted(grey, "impulse_noise", 5);
  const auto changed = std::ranges::count_if(dots.rgb, [](std::uint8_t value) { return value != 128; });
  EXPECT_NEAR(static_cast<double>(changed) / static_cast<double>(dots.rgb.size()), .14, .005);
}

TEST(Corruption, BlursSpreadOnePointOverItsNeighbours) {
  Image point = blank_image(65, 65, 0);
  for (int colour = 0; colour < 3; ++colour) point.row(32)[3 * 32 + colour] = 255;
  const Image disk = corrupted(point, "defocus_blur", 5);
  int lit = 0, sum = 0;
  for (std::size_t i = 0; i < disk.rgb.size(); i += 3) lit += disk.rgb[i] > 4, sum += disk.rgb[i];
  EXPECT_NEAR(lit, std::numbers::pi * 9, 8);  // of radius 3
  EXPECT_NEAR(sum, 255, 30);                  // rounding
  EXPECT_NEAR(disk.row(32)[3 * 30], disk.row(34)[3 * 32], 1);
}

TEST(Corruption, ContrastAndBrightnessByHand) {
  Image image = blank_image(2, 1, 0);
  image.rgb = {100, 50, 0, 200, 150, 100};
  EXPECT_EQ(corrupted(image, "contrast", 4).rgb, (std::vector<std::uint8_t>{145, 95, 45, 155, 105, 55}));
  // 102 more: 100 -> 202, the other colours in proportion; 200 -> 255.
  EXPECT_EQ(corrupted(image, "brightness", 4).rgb, (std::vector<std::uint8_t>{202, 101, 0, 255, 191, 128}));
}

TEST(Corruption, UnknownKindAndStrengthAreRefused) {
  const Image image = test_image(8, 8);
  EXPECT_THAT(error_of([&] { corrupted(image, "rain", 1); }, Exit::usage),
              HasSubstr("'rain' is none of gaussian_noise, shot_noise"));
  EXPECT_THAT(error_of([&] { corrupted(image, "jpeg", 0); }, Exit::usage), HasSubstr("strength 0"));
  EXPECT_THAT(error_of([&] { corrupted(image, "jpeg", 6); }, Exit::usage), HasSubstr("strength 6"));
}

}  // namespace
}  // namespace duet
