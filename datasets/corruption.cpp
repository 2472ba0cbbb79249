#include "datasets/corruption.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {
namespace {

template <class Value>
using ByStrength = std::array<Value, kStrengths>;

template <class Value>
Value at(const ByStrength<Value>& values, int strength) {
  return values[static_cast<std::size_t>(strength - 1)];
}

cv::Mat mat_of(Image& image) { return {image.height, image.width, CV_8UC3, image.rgb.data()}; }

// A length in pixels of the authors' pictures as one of this picture's.
double length(const Image& image, double pixels) {
  constexpr double kTheirSide = 64;
  return pixels * std::max(image.width, image.height) / kTheirSide;
}

std::uint8_t byte_of(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

void add_gaussian_noise(Image& image, int strength, Random& random) {
  const double deviation = 255 * at<double>({.04, .08, .12, .15, .18}, strength);
  for (std::uint8_t& value : image.rgb) value = byte_of(value + deviation * random.normal());
}

// Of each level of brightness, how many photons are likely: cumulative probabilities of 0, 1, 2 ...
using PhotonCounts = std::array<std::vector<double>, 256>;

PhotonCounts count_photons(double brightest) {
  PhotonCounts counts;
  for (std::size_t level = 0; level < counts.size(); ++level) {
    const double mean = brightest * static_cast<double>(level) / 255;
    double probability = std::exp(-mean), sum = 0;
    for (int k = 1; sum < 1 - 1e-9 && k < 1000; ++k) {
      counts[level].push_back(sum += probability);
      probability *= mean / k;
    }
  }
  return counts;
}

void add_shot_noise(Image& image, int strength, Random& random) {
  constexpr ByStrength<double> kPhotons = {250, 100, 50, 30, 15};  // where it is brightest
  static const ByStrength<PhotonCounts> kCounts = {count_photons(kPhotons[0]), count_photons(kPhotons[1]),
                                                   count_photons(kPhotons[2]), count_photons(kPhotons[3]),
                                                   count_photons(kPhotons[4])};
  const PhotonCounts& counts = kCounts[static_cast<std::size_t>(strength - 1)];
  for (std::uint8_t& value : image.rgb) {
    const std::vector<double>& sums = counts[value];
    const auto photons = std::ranges::upper_bound(sums, random.uniform()) - sums.begin();
    value = byte_of(255 * static_cast<double>(photons) / at(kPhotons, strength));
  }
}

void add_impulse_noise(Image& image, int strength, Random& random) {
  const double share = at<double>({.01, .02, .05, .08, .14}, strength);
  for (std::uint8_t& value : image.rgb) {
    if (random.chance(share)) value = random.chance(.5) ? 255 : 0;
  }
}

// Where the light of one point falls. A place between pixels is shared by the four around it, so that blurs far
// smaller than a pixel are blurs, too.
class Spread {
 public:
  explicit Spread(double reach)
      : middle_(static_cast<int>(std::ceil(reach)) + 1),
        weights_(cv::Mat::zeros(2 * middle_ + 1, 2 * middle_ + 1, CV_32F)) {}

  void add(double right, double down, double weight) {
    const double left = std::floor(right), top = std::floor(down);
    const double x = right - left, y = down - top;
    const int column = middle_ + static_cast<int>(left), row = middle_ + static_cast<int>(top);
    for (const auto& [j, i, share] :
         {std::tuple{0, 0, (1 - x) * (1 - y)}, {1, 0, x * (1 - y)}, {0, 1, (1 - x) * y}, {1, 1, x * y}}) {
      if (share > 0) weights_.at<float>(row + i, column + j) += static_cast<float>(weight * share);
    }
  }

  void blur(Image& image) const {
    const cv::Mat sharp = mat_of(image).clone(), weights = weights_ / cv::sum(weights_)[0];
    cv::filter2D(sharp, mat_of(image), -1, weights, cv::Point(-1, -1), 0, cv::BORDER_REPLICATE);
  }

 private:
  int middle_;
  cv::Mat weights_;
};

void blur_by_defocus(Image& image, int strength, Random&) {
  constexpr int kSteps = 16;
  const double radius = length(image, at<double>({.5, 1, 1.5, 2.5, 3}, strength));
  Spread spread(radius);
  for (int row = -kSteps; row <= kSteps; ++row) {
    for (int column = -kSteps; column <= kSteps; ++column) {
      if (row * row + column * column <= kSteps * kSteps)
        spread.add(radius * column / kSteps, radius * row / kSteps, 1);
    }
  }
  spread.blur(image);
}

// Half a bell curve along one direction, as ImageMagick's motion blur.
void blur_by_motion(Image& image, int strength, Random& random) {
  constexpr int kSteps = 16, kDeviations = 3;
  const double deviation = length(image, at<double>({1, 1.5, 2, 2.5, 3}, strength));
  const double angle = random.uniform(-45, 45) * std::numbers::pi / 180;
  Spread spread(kDeviations * deviation);
  for (int step = 0; step <= kDeviations * kSteps; ++step) {
    const double deviations = static_cast<double>(step) / kSteps, way = deviations * deviation;
    spread.add(way * std::cos(angle), way * std::sin(angle), std::exp(-deviations * deviations / 2));
  }
  spread.blur(image);
}

// The mean of the picture as it stands and of views that come nearer by a hundredth each.
void blur_by_zoom(Image& image, int strength, Random&) {
  const int nearest = at<int>({5, 10, 15, 20, 25}, strength);
  cv::Mat picture, view, sum;
  mat_of(image).convertTo(picture, CV_32FC3);
  sum = 2 * picture;  // the views begin with one that is no nearer
  for (int step = 1; step <= nearest; ++step) {
    const double scale = 1 / (1 + step / 100.), right = (1 - scale) * (image.width - 1) / 2,
                 down = (1 - scale) * (image.height - 1) / 2;
    cv::warpAffine(picture, view, cv::Matx23d(scale, 0, right, 0, scale, down), picture.size(),
                   cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
    sum += view;
  }
  sum.convertTo(mat_of(image), CV_8UC3, 1. / (nearest + 2));
}

std::span<std::uint8_t, 3> pixel_at(Image& image, std::size_t i) {
  return std::span<std::uint8_t, 3>(image.rgb.data() + i, 3);
}

// The value of HSV, hue and saturation kept.
void brighten(Image& image, int strength, Random&) {
  const double more = 255 * at<double>({.1, .2, .3, .4, .5}, strength);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    const auto pixel = pixel_at(image, i);
    const double value = std::ranges::max(pixel), brighter = std::min(value + more, 255.0);
    for (std::uint8_t& colour : pixel) colour = byte_of(value > 0 ? colour * brighter / value : brighter);
  }
}

void lower_contrast(Image& image, int strength, Random&) {
  const double kept = at<double>({.4, .3, .2, .1, .05}, strength);
  const cv::Scalar mean = cv::mean(mat_of(image));
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const double grey = mean[static_cast<int>(i % 3)];
    image.rgb[i] = byte_of(grey + kept * (image.rgb[i] - grey));
  }
}

// Pixels that two of the large ones cover mix them by area: the nearest alone would shift edges, and blocks of
// exactly two pixels would then change less than smaller ones.
void pixelate(Image& image, int strength, Random&) {
  const double share = at<double>({.9, .8, .7, .6, .5}, strength);
  const auto fewer = [&](int side) { return std::max(1, static_cast<int>(side * share)); };
  cv::Mat small;
  cv::resize(mat_of(image), small, cv::Size(fewer(image.width), fewer(image.height)), 0, 0, cv::INTER_AREA);
  cv::resize(small, mat_of(image), cv::Size(image.width, image.height), 0, 0, cv::INTER_AREA);
}

void compress(Image& image, int strength, Random&) {
  const std::string bytes = jpeg_bytes(image, at<int>({65, 58, 50, 40, 25}, strength));
  image = decode_image(std::as_bytes(std::span(bytes)), {});
}

struct Kind {
  std::string_view name;
  void (*spoil)(Image&, int strength, Random&);
};
constexpr std::array kKinds = {Kind{"gaussian_noise", add_gaussian_noise},
                               Kind{"shot_noise", add_shot_noise},
                               Kind{"impulse_noise", add_impulse_noise},
                               Kind{"defocus_blur", blur_by_defocus},
                               Kind{"motion_blur", blur_by_motion},
                               Kind{"zoom_blur", blur_by_zoom},
                               Kind{"brightness", brighten},
                               Kind{"contrast", lower_contrast},
                               Kind{"pixelate", pixelate},
                               Kind{"jpeg", compress}};
static_assert(std::ranges::equal(kKinds, kCorruptions, {}, &Kind::name));

}  // namespace

Image corrupted(const Image& image, std::string_view kind, int strength, std::uint64_t seed) {
  const auto found = std::ranges::find(kKinds, kind, &Kind::name);
  if (found == kKinds.end())
    fail(Exit::usage, "corruption",
         cat("'", kind, "' is none of ",
             joined(std::vector<std::string>(kCorruptions.begin(), kCorruptions.end()))));
  if (strength < 1 || strength > kStrengths)
    fail(Exit::usage, "corruption", cat("strength ", strength, " is none of 1 to ", kStrengths));
  const std::string_view pixels(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
  Random random(seed_of(seed, "corruption", pixels, image.width, kind, strength));
  Image result = image;
  found->spoil(result, strength, random);
  return result;
}

}  // namespace duet
