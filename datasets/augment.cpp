#include "datasets/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/format.h"

namespace duet {
namespace {

struct Box {
  double x, y, width, height;  // in pixels of the picture, also beside it
};

// What the view shows where nothing is cropped.
Box whole(const Image& image, std::string_view resize) {
  const double width = image.width, height = image.height;
  if (resize == "squash") return {0, 0, width, height};
  const double side = resize == "pad" ? std::max(width, height) : std::min(width, height);
  return {(width - side) / 2, (height - side) / 2, side, side};
}

// From one edge of the picture to the other: inside it where the crop is smaller, around it where it is larger.
Box placed(const Image& image, double width, double height, double right, double down) {
  return {right * (image.width - width), down * (image.height - height), width, height};
}

Box random_crop(const Image& image, const Augmentation& options, std::string_view resize, Random& random) {
  const Box frame = resize == "pad"
                        ? whole(image, resize)
                        : Box{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  const double natural = resize == "squash" ? frame.width / frame.height : 1.0;
  const double low = std::log(options.aspect_low), high = std::log(options.aspect_high);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = frame.width * frame.height * random.uniform(options.crop_low, options.crop_high);
    const double aspect = natural * std::exp(random.uniform(low, high));
    const double width = std::sqrt(area * aspect), height = std::sqrt(area / aspect);
    const double right = random.uniform(), down = random.uniform();
    if (width <= frame.width && height <= frame.height) return placed(image, width, height, right, down);
  }
  const double aspect =
      std::clamp(frame.width / frame.height, natural * options.aspect_low, natural * options.aspect_high);
  return placed(image, std::min(frame.width, frame.height * aspect),
                std::min(frame.height, frame.width / aspect), 0.5, 0.5);
}

// From pixel indices of the view to pixel indices of the picture: turned back, mirrored back, scaled, moved.
cv::Matx23d view_to_picture(const Box& box, int size, bool flip, double degrees) {
  const double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double across = (flip ? -1 : 1) * box.width / size, down = box.height / size;
  const double first = (1 - size) / 2.0;  // the first pixel's centre, seen from the view's centre
  return {across * cosine, -across * sine, box.x + box.width / 2 - 0.5 + across * first * (cosine - sine),
          down * sine,     down * cosine,  box.y + box.height / 2 - 0.5 + down * first * (cosine + sine)};
}

// The part of the picture that the map touches.
cv::Rect touched(const cv::Matx23d& map, int size, const cv::Size& picture) {
  double left = 1e30, top = 1e30, right = -1e30, bottom = -1e30;
  for (const double u : {0.0, size - 1.0}) {
    for (const double v : {0.0, size - 1.0}) {
      const cv::Vec2d at = map * cv::Vec3d(u, v, 1);
      left = std::min(left, at[0]), right = std::max(right, at[0]);
      top = std::min(top, at[1]), bottom = std::max(bottom, at[1]);
    }
  }
  const cv::Rect box(cv::Point(cvFloor(left), cvFloor(top)), cv::Point(cvCeil(right) + 2, cvCeil(bottom) + 2));
  return box & cv::Rect(cv::Point(0, 0), picture);
}

// Bilinear sampling skips pixels where it shrinks more than twofold: there the part is averaged down first, to
// one and a half times what the view needs.
cv::Mat shrunk(const cv::Mat& picture, const Box& box, int size, cv::Matx23d& map) {
  const double across = std::min(1.0, 1.5 * size / box.width), down = std::min(1.0, 1.5 * size / box.height);
  const cv::Rect part = touched(map, size, picture.size());
  if (part.empty() || (box.width <= 2.0 * size && box.height <= 2.0 * size)) return picture;
  cv::Mat smaller;
  cv::resize(picture(part), smaller, cv::Size(cvCeil(part.width * across), cvCeil(part.height * down)), 0, 0,
             cv::INTER_AREA);
  const double scale[] = {static_cast<double>(smaller.cols) / part.width,
                          static_cast<double>(smaller.rows) / part.height};
  const int corner[] = {part.x, part.y};
  for (int i = 0; i < 2; ++i) {
    map(i, 2) = (map(i, 2) + 0.5 - corner[i]) * scale[i] - 0.5;
    map(i, 0) *= scale[i];
    map(i, 1) *= scale[i];
  }
  return smaller;
}

// Crop, scale, mirror and turn in one pass.
void warp(const Image& image, const Box& box, bool flip, double degrees, cv::Mat& view) {
  const int size = view.cols;
  const cv::Mat picture(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.rgb.data()));
  cv::Matx23d map = view_to_picture(box, size, flip, degrees);
  const cv::Mat source = shrunk(picture, box, size, map);
  const bool inside = degrees == 0 && box.x >= 0 && box.y >= 0 && box.x + box.width <= image.width &&
                      box.y + box.height <= image.height;  // then no white may be blended into the edge
  cv::warpAffine(source, view, map, view.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 inside ? cv::BORDER_REPLICATE : cv::BORDER_CONSTANT, cv::Scalar(255, 255, 255));
}

void draw_geometry(const Image& image, const Augmentation& options, const Preprocessing& preprocessing,
                   Random random, cv::Mat& view) {
  const bool flip = random.chance(options.flip);
  const double degrees = random.uniform(-options.rotation, options.rotation);
  const bool cropped = options.crop_low < 1;
  if (cropped || options.rotation > 0) {
    warp(image,
         cropped ? random_crop(image, options, preprocessing.resize, random)
                 : whole(image, preprocessing.resize),
         flip, degrees, view);
    return;
  }
  Preprocessing sized;
  const bool same = preprocessing.size == view.cols;
  if (!same) (sized = preprocessing).size = view.cols;
  const Image plain = resize_image(image, same ? preprocessing : sized);
  std::memcpy(view.data, plain.rgb.data(), plain.rgb.size());
  if (flip) cv::flip(view, view, 1);
}

using Colour = std::array<double, 3>;
constexpr Colour kLuma = {0.299, 0.587, 0.114};  // ITU-R BT.601, as torchvision and YIQ

double luma(const Colour& rgb) { return kLuma[0] * rgb[0] + kLuma[1] * rgb[1] + kLuma[2] * rgb[2]; }

// Turns the two colour-difference axes and leaves luma and greys as they are. The I and Q axes are B - Y and R
// - Y scaled and turned by 33 degrees: turning either pair is the same.
Colour turn_hue(const Colour& rgb, double turns) {
  constexpr double blue_scale = 0.492, red_scale = 0.877;
  const double y = luma(rgb), u = blue_scale * (rgb[2] - y), v = red_scale * (rgb[0] - y);
  const double cosine = std::cos(2 * std::numbers::pi * turns), sine = std::sin(2 * std::numbers::pi * turns);
  const double red = y + (u * sine + v * cosine) / red_scale, blue = y + (u * cosine - v * sine) / blue_scale;
  return {red, (y - kLuma[0] * red - kLuma[2] * blue) / kLuma[1], blue};
}

Colour saturate(const Colour& rgb, double factor) {
  const double y = luma(rgb);
  return {y + factor * (rgb[0] - y), y + factor * (rgb[1] - y), y + factor * (rgb[2] - y)};
}

// The jitter of one view as a matrix and an offset that all three channels share. Coefficients are multiples of
// 2^-10, which OpenCV computes exactly, and rows have equal sums: a grey pixel stays grey to the last bit.
class Recolour {
 public:
  Recolour(const Augmentation& options, Random random) {
    const bool jitter = random.chance(options.jitter);
    const auto factor = [&](double strength) {
      const double drawn = random.uniform(std::max(0.0, 1 - strength), 1 + strength);
      return jitter ? drawn : 1.0;
    };
    brightness_ = factor(options.brightness);
    contrast_ = factor(options.contrast);
    const double saturation = factor(options.saturation);
    const double hue = random.uniform(-options.hue, options.hue) * (jitter ? 1 : 0);
    const double colour = random.chance(options.grayscale) ? 0 : 1;
    identity_ = brightness_ == 1 && contrast_ == 1 && saturation == 1 && hue == 0 && colour == 1;
    for (std::size_t column = 0; column < 3; ++column) {
      Colour unit{};
      unit[column] = brightness_ * contrast_;
      const Colour out = saturate(turn_hue(saturate(unit, saturation), hue), colour);
      for (std::size_t row = 0; row < 3; ++row)
        matrix_(static_cast<int>(row), static_cast<int>(column)) = rounded(out[row]);
    }
    const float sum = rounded(brightness_ * contrast_);
    for (int row = 0; row < 3; ++row) matrix_(row, 1) = sum - matrix_(row, 0) - matrix_(row, 2);
  }

  void apply(cv::Mat& view) {
    if (identity_) return;
    if (contrast_ != 1) {  // towards the view's mean grey
      const cv::Scalar mean = cv::mean(view);
      const float offset = rounded((1 - contrast_) * brightness_ * luma({mean[0], mean[1], mean[2]}));
      for (int row = 0; row < 3; ++row) matrix_(row, 3) = offset;
    }
    cv::transform(view, view, matrix_);
  }

 private:
  static float rounded(double value) { return static_cast<float>(std::round(value * 1024) / 1024); }

  bool identity_;
  double brightness_, contrast_;
  cv::Matx34f matrix_ = cv::Matx34f::zeros();
};

std::pair<double, double> read_pair(Config& config, std::string_view key, double low, double high,
                                    Range range) {
  const std::vector<double> ends = config.numbers(key, {low, high}, range);
  if (ends.size() != 2 || ends[0] > ends[1])
    config.fail(key, cat("'", key, "' is no range"), "write [low, high] with low <= high");
  return {ends[0], ends[1]};
}

}  // namespace

ViewSpec read_view(Config& config, std::string name) {
  ViewSpec view;
  view.name = std::move(name);
  view.size = static_cast<int>(config.integer("size", view.size, 0, 4096));
  view.count = static_cast<int>(config.integer("count", view.count, 1, 64));
  Augmentation& a = view.augmentation;
  const Range share{0, 1};
  std::tie(a.crop_low, a.crop_high) = read_pair(config, "crop", a.crop_low, a.crop_high, {0.001, 1});
  std::tie(a.aspect_low, a.aspect_high) = read_pair(config, "aspect", a.aspect_low, a.aspect_high, {0.1, 10});
  a.flip = config.number("flip", a.flip, share);
  a.rotation = config.number("rotation", a.rotation, {0, 180});
  a.brightness = config.number("brightness", a.brightness, share);
  a.contrast = config.number("contrast", a.contrast, share);
  a.saturation = config.number("saturation", a.saturation, share);
  a.hue = config.number("hue", a.hue, {0, 0.5});
  a.jitter = config.number("jitter", a.jitter, share);
  a.grayscale = config.number("grayscale", a.grayscale, share);
  a.blur = config.number("blur", a.blur, share);
  std::tie(a.blur_low, a.blur_high) = read_pair(config, "blur_sigma", a.blur_low, a.blur_high, {0.01, 100});
  return view;
}

void augment_into(std::uint8_t* pixels, const Image& image, const Augmentation& augmentation,
                  const Preprocessing& preprocessing, int size, Random& random) {
  const Random geometry(random.bits()), colour(random.bits());
  Random softness(random.bits());
  cv::Mat view(size, size, CV_8UC3, pixels);
  draw_geometry(image, augmentation, preprocessing, geometry, view);
  Recolour(augmentation, colour).apply(view);
  if (softness.chance(augmentation.blur)) {
    const double sigma = softness.uniform(augmentation.blur_low, augmentation.blur_high);
    cv::GaussianBlur(view, view, cv::Size(), sigma);
  }
}

Image augment(const Image& image, const Augmentation& augmentation, const Preprocessing& preprocessing,
              int size, Random& random) {
  Image view = blank_image(size, size);
  augment_into(view.rgb.data(), image, augmentation, preprocessing, size, random);
  return view;
}

}  // namespace duet
