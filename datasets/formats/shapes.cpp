// Pictures that duet draws itself: one shape on a plain ground, and the sentence that says so. Row i is a
// function of (seed, i) alone, so another seed gives pictures that were never seen.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <system_error>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "datasets/formats/format.h"

namespace duet {
namespace {

constexpr int kSide = 64;  // of a picture
constexpr int kFine = 4;   // drawn this much larger, then averaged
constexpr std::int64_t kMost = 100'000'000;

using Color = std::array<double, 3>;  // red, green, blue in 0..255
struct Colour {
  std::string_view name;
  Color rgb;
};
constexpr std::array kColours = {Colour{"red", {214, 39, 40}},     Colour{"orange", {245, 140, 20}},
                                 Colour{"yellow", {240, 215, 30}}, Colour{"green", {40, 150, 60}},
                                 Colour{"cyan", {40, 195, 215}},   Colour{"blue", {35, 75, 205}},
                                 Colour{"purple", {130, 50, 160}}, Colour{"black", {25, 25, 25}}};

// An outline inside the unit circle, as a function of an angle's share of the turn.
using Outline = std::vector<cv::Point2d>;
cv::Point2d on_circle(double turn, double radius = 1) {
  const double angle = 2 * std::numbers::pi * turn;
  return {radius * std::sin(angle), -radius * std::cos(angle)};
}
Outline polygon(int corners, double first_turn, double inner_radius) {
  Outline outline;
  for (int i = 0; i < corners; ++i) {
    outline.push_back(on_circle(first_turn + static_cast<double>(i) / corners));
    if (inner_radius < 1) outline.push_back(on_circle(first_turn + (i + 0.5) / corners, inner_radius));
  }
  return outline;
}
Outline circle() { return polygon(72, 0, 1); }
Outline square() { return polygon(4, 0.125, 1); }
Outline triangle() { return polygon(3, 0, 1); }
Outline star() { return polygon(5, 0, 0.4); }
Outline heart() {
  Outline outline;
  for (int i = 0; i < 72; ++i) {
    const double t = 2 * std::numbers::pi * i / 72;
    const double x = 16 * std::pow(std::sin(t), 3);
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    outline.emplace_back(x / 17, -y / 17);
  }
  return outline;
}
Outline cross() {
  constexpr double w = 0.33, l = 0.94;
  return {{-w, -l}, {w, -l}, {w, -w}, {l, -w}, {l, w},   {w, w},
          {w, l},   {-w, l}, {-w, w}, {-l, w}, {-l, -w}, {-w, -w}};
}

struct Shape {
  std::string_view name;
  Outline (*outline)();
};
constexpr std::array kShapes = {Shape{"circle", circle}, Shape{"square", square}, Shape{"triangle", triangle},
                                Shape{"star", star},     Shape{"heart", heart},   Shape{"cross", cross}};

struct Size {
  std::string_view name;
  double low, high;  // radius in pixels
};
constexpr std::array kSizes = {Size{"small", 6, 7.5}, Size{"medium", 9.5, 11.5}, Size{"large", 14, 16.5}};

struct Position {
  std::string_view name;
  double x, y;  // of the middle, as a share of the side
};
constexpr std::array kPositions = {
    Position{"at the top left", 0.27, 0.27},    Position{"at the top", 0.5, 0.27},
    Position{"at the top right", 0.73, 0.27},   Position{"on the left", 0.27, 0.5},
    Position{"in the middle", 0.5, 0.5},        Position{"on the right", 0.73, 0.5},
    Position{"at the bottom left", 0.27, 0.73}, Position{"at the bottom", 0.5, 0.73},
    Position{"at the bottom right", 0.73, 0.73}};

struct Drawing {
  const Colour* colour;
  const Shape* shape;
  const Size* size;
  const Position* position;
  double x, y, radius, turn;  // pixels, share of a turn
  Color ink, ground;
};

template <class T, std::size_t N>
const T* pick(const std::array<T, N>& table, Random& random) {
  return &table[random.below(N)];
}

Drawing drawing_of(std::uint64_t seed, std::int64_t row) {
  Random random(seed_of(seed, "shapes", row));
  Drawing d{};
  d.colour = pick(kColours, random);
  d.shape = pick(kShapes, random);
  d.size = pick(kSizes, random);
  d.position = pick(kPositions, random);
  d.x = kSide * d.position->x + random.uniform(-2, 2);
  d.y = kSide * d.position->y + random.uniform(-2, 2);
  d.radius = random.uniform(d.size->low, d.size->high);
  d.turn = random.uniform(-0.04, 0.04);
  const double light = random.uniform(225, 255);
  for (std::size_t c = 0; c < 3; ++c) {
    d.ink[c] = std::clamp(d.colour->rgb[c] + random.uniform(-15, 15), 0.0, 255.0);
    d.ground[c] = std::clamp(light + random.uniform(-12, 12), 0.0, 255.0);
  }
  return d;
}

Image draw(const Drawing& d) {
  constexpr double kSubpixels = 16;  // fillPoly takes fixed-point coordinates: 4 bits of fraction
  std::vector<cv::Point> corners;
  const double cosine = std::cos(2 * std::numbers::pi * d.turn), sine = std::sin(2 * std::numbers::pi * d.turn);
  const auto fixed_point = [&](double at) {
    return static_cast<int>(std::lround((at * kFine - 0.5) * kSubpixels));
  };
  for (const cv::Point2d& p : d.shape->outline())
    corners.emplace_back(fixed_point(d.x + d.radius * (p.x * cosine - p.y * sine)),
                         fixed_point(d.y + d.radius * (p.x * sine + p.y * cosine)));
  cv::Mat fine(kSide * kFine, kSide * kFine, CV_8UC1, cv::Scalar(0)), cover;
  cv::fillPoly(fine, std::vector<std::vector<cv::Point>>{corners}, cv::Scalar(255), cv::LINE_8, 4);
  cv::resize(fine, cover, cv::Size(kSide, kSide), 0, 0, cv::INTER_AREA);

  Image image = blank_image(kSide, kSide);
  for (int y = 0; y < kSide; ++y) {
    std::uint8_t* pixel = image.row(y);
    for (int x = 0; x < kSide; ++x, pixel += 3) {
      const double share = cover.at<std::uint8_t>(y, x) / 255.0;
      for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(std::lround(share * d.ink[c] + (1 - share) * d.ground[c]));
    }
  }
  return image;
}

Pair pair_of(const Drawing& d, std::int64_t row) {
  char path[32];
  std::snprintf(path, sizeof path, "shapes/%06lld", static_cast<long long>(row));
  const std::string thing = cat(d.colour->name, " ", d.shape->name);
  return {path,
          {cat("a ", d.size->name, " ", thing, " ", d.position->name)},
          thing,
          {std::string(d.colour->name), std::string(d.shape->name), std::string(d.size->name),
           std::string(d.position->name)},
          0};
}

// "shapes", "shapes:512" or "shapes:512:7": how many, and of which seed.
void read_request(const SourceOptions& options, std::int64_t& count, std::uint64_t& seed) {
  count = options.shapes_count;
  seed = options.shapes_seed;
  std::string_view rest = std::string_view(options.data).substr(std::min<std::size_t>(options.data.size(), 6));
  const auto number = [&](auto& value) {
    if (rest.empty()) return true;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), value);
    const bool good = rest.front() == ':' && error == std::errc();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return good;
  };
  const bool understood = number(count) && number(seed) && rest.empty();
  if (!understood || count < 1 || count > kMost)
    fail(Exit::usage, options.data, "is no request for shapes",
         cat("write shapes:COUNT:SEED, COUNT from 1 to ", kMost));
}

}  // namespace

bool is_shapes(const SourceOptions& options) {
  return options.data == "shapes" || options.data.starts_with("shapes:");
}

Source read_shapes(const SourceOptions& options, bool /*need_captions*/) {
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  read_request(options, count, seed);
  std::error_code none;
  if (options.aloud && std::filesystem::exists(options.data, none))
    log_warning(cat("'", options.data, "' stands for pictures that duet draws; write ./", options.data,
                    " for the folder"));
  Source source;
  source.columns = {"colour", "shape", "size", "position"};
  source.pairs.reserve(static_cast<std::size_t>(count));
  for (std::int64_t row = 0; row < count; ++row) source.pairs.push_back(pair_of(drawing_of(seed, row), row));
  source.rows = count;
  source.draw = [seed](std::int64_t row) { return draw(drawing_of(seed, row)); };
  return source;
}

}  // namespace duet
