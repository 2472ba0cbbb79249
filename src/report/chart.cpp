// Line charts as SVG. Long series are drawn as the mean of buckets inside a pale band from lowest to highest.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/format.h"
#include "report/html.h"
#include "report/page.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr double kWidth = 540, kHeight = 300, kRight = 16, kBottom = 44, kCharacter = 6.7;
constexpr std::size_t kBuckets = 160, kDots = 40, kTooltips = 80;
// Used when no style sheet sets --s1 to --s8 (page.cpp sets them for dark pages).
constexpr std::array kColors = {"#2f6fde", "#d9660d", "#1a8f5a", "#8a4fd3",
                                "#d6336c", "#0c8b99", "#946c00", "#6b7280"};

struct Scale {
  double low = 0, high = 1, from = 0, to = 1;  // data, then pixels
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

struct Ticks {
  double step = 1;
  std::vector<double> values;
};

// One drawn place: the mean of a bucket of points with its extremes. A series is cut into runs at values not
// finite.
struct Place {
  double x = 0, y = 0, low = 0, high = 0;
};
using Run = std::vector<Place>;

std::string pixel(double value) { return fixed(value, 1); }

std::string color(std::size_t series) {
  const std::size_t i = series % kColors.size();
  return cat("var(--s", i + 1, ",", kColors[i], ")");
}

Ticks ticks_between(double low, double high, double about) {
  const double raw = (high - low) / about;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  Ticks ticks;
  ticks.step = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw * 0.999) {
      ticks.step = factor * power;
      break;
    }
  }
  const double first = std::ceil(low / ticks.step - 1e-9);
  // + 0.0: ceil gives -0, which would print its sign.
  for (double i = first + 0.0; i * ticks.step <= high + ticks.step * 1e-9; ++i) {
    ticks.values.push_back(i * ticks.step);
  }
  return ticks;
}

int digits_of(double step) {
  for (int digits = 0; digits < 6; ++digits) {
    const double scaled = step * std::pow(10.0, digits);
    if (std::abs(scaled - std::round(scaled)) < 1e-6 * scaled) return digits;
  }
  return 6;
}

std::string tick_label(double value, double step) {
  const double size = std::abs(value);
  if (size != 0 && (step < 1e-4 || size >= 1e9)) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
  }
  if (size >= 1e6) return cat(fixed(value / 1e6, digits_of(step / 1e6)), "M");
  if (size >= 1e4) return cat(fixed(value / 1e3, digits_of(step / 1e3)), "k");
  return fixed(value, digits_of(step));
}

std::string value_label(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// In the order of the points; runs end where a value is not finite.
std::vector<Run> runs_of(const Series& series) {
  const std::size_t size = std::max<std::size_t>(1, series.points.size() / kBuckets);
  std::vector<Run> runs(1);
  Place bucket;
  std::size_t count = 0;
  const auto close_bucket = [&] {
    if (count == 0) return;
    bucket.x /= static_cast<double>(count);
    bucket.y /= static_cast<double>(count);
    runs.back().push_back(bucket);
    count = 0;
  };
  for (const auto& [x, y] : series.points) {
    if (!std::isfinite(x) || !std::isfinite(y)) {
      close_bucket();
      if (!runs.back().empty()) runs.emplace_back();
      continue;
    }
    if (count == 0) bucket = {0, 0, y, y};
    bucket.x += x;
    bucket.y += y;
    bucket.low = std::min(bucket.low, y);
    bucket.high = std::max(bucket.high, y);
    if (++count == size) close_bucket();
  }
  close_bucket();
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) { low = std::min(low, value), high = std::max(high, value); }
  bool empty() const { return low > high; }
  // Room around a single value; a range that nearly reaches zero starts there.
  void settle() {
    if (low == high) {
      const double room = low == 0 ? 1 : std::abs(low) * 0.1;
      low -= room, high += room;
    }
    if (low > 0 && low < high * 0.5) low = 0;
  }
};

// Legend entries after another, in as many lines as they need. Gives the y below the last line.
double draw_legend(std::string& out, const Chart& chart, const std::vector<std::vector<Run>>& runs, double y) {
  double x = 12;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const std::string last = runs[i].empty() ? "no value" : value_label(chart.series[i].points.back().second);
    const double name_width = static_cast<double>(display_width(chart.series[i].name)) * kCharacter;
    const double width = 22 + name_width + 6 + static_cast<double>(last.size()) * kCharacter + 18;
    if (x > 12 && x + width > kWidth - kRight) x = 12, y += 18;
    out += cat("<line x1='", pixel(x), "' x2='", pixel(x + 16), "' y1='", pixel(y - 4), "' y2='", pixel(y - 4),
               "' style='stroke:", color(i), "' stroke-width='3' stroke-linecap='round'/><text x='",
               pixel(x + 22), "' y='", pixel(y), "'>", escaped_html(chart.series[i].name),
               " <tspan class='mute' fill-opacity='.65'>", last, "</tspan></text>");
    x += width;
  }
  return y + 18;
}

void draw_run(std::string& out, const Run& run, const Scale& x, const Scale& y, bool dots) {
  bool banded = false;
  for (const Place& place : run) banded = banded || place.low < place.high;
  if (banded) {
    out += "<path stroke='none' fill='currentColor' fill-opacity='.16' d='M";
    for (const Place& place : run) out += cat(pixel(x(place.x)), " ", pixel(y(place.high)), " ");
    for (auto place = run.rbegin(); place != run.rend(); ++place) {
      out += cat(pixel(x(place->x)), " ", pixel(y(place->low)), " ");
    }
    out += "Z'/>";
  }
  out +=
      "<path fill='none' stroke='currentColor' stroke-width='2' stroke-linejoin='round' stroke-linecap='round' "
      "d='M";
  for (const Place& place : run) out += cat(pixel(x(place.x)), " ", pixel(y(place.y)), " ");
  out += "'/>";
  if (!dots && run.size() > 1) return;
  for (const Place& place : run) {
    out +=
        cat("<circle cx='", pixel(x(place.x)), "' cy='", pixel(y(place.y)), "' r='2.6' fill='currentColor'/>");
  }
}

// Circles that show themselves and their value under the pointer.
void draw_tooltips(std::string& out, const Chart& chart, const Series& series, const std::vector<Run>& runs,
                   const Scale& x, const Scale& y) {
  std::size_t count = 0, seen = 0;
  for (const Run& run : runs) count += run.size();
  const std::size_t stride = std::max<std::size_t>(1, (count + kTooltips - 1) / kTooltips);
  for (const Run& run : runs) {
    for (const Place& place : run) {
      if (seen++ % stride != 0 && seen != count) continue;
      out += cat("<circle class='pt' cx='", pixel(x(place.x)), "' cy='", pixel(y(place.y)),
                 "' r='5' fill='currentColor' fill-opacity='0'><title>", escaped_html(series.name), ": ",
                 value_label(place.y), "\n", escaped_html(chart.x_label.empty() ? "x" : chart.x_label), " ",
                 std::abs(place.x) >= 1e4 ? grouped(std::llround(place.x)) : value_label(place.x),
                 "</title></circle>");
    }
  }
}

void draw_axes(std::string& out, const Chart& chart, const Scale& x, const Scale& y, const Ticks& across,
               const Ticks& up) {
  out += "<g stroke='currentColor' stroke-opacity='.14'>";
  for (const double tick : up.values) {
    const std::string at = pixel(y(tick));
    out += cat("<line x1='", pixel(x.from), "' x2='", pixel(x.to), "' y1='", at, "' y2='", at, "'/>");
  }
  out += cat("</g><line stroke='currentColor' stroke-opacity='.45' x1='", pixel(x.from), "' x2='", pixel(x.to),
             "' y1='", pixel(y.from), "' y2='", pixel(y.from), "'/><g fill='currentColor' fill-opacity='.7'>");
  for (const double tick : up.values) {
    out += cat("<text text-anchor='end' x='", pixel(x.from - 8), "' y='", pixel(y(tick) + 4), "'>",
               tick_label(tick, up.step), "</text>");
  }
  for (const double tick : across.values) {
    out += cat("<text text-anchor='middle' x='", pixel(x(tick)), "' y='", pixel(y.from + 18), "'>",
               tick_label(tick, across.step), "</text>");
  }
  if (!chart.x_label.empty()) {
    out += cat("<text text-anchor='middle' x='", pixel((x.from + x.to) / 2), "' y='", pixel(kHeight - 6), "'>",
               escaped_html(chart.x_label), "</text>");
  }
  if (!chart.y_label.empty()) {
    const std::string middle = pixel((y.from + y.to) / 2);
    out += cat("<text text-anchor='middle' transform='rotate(-90 13 ", middle, ")' x='13' y='", middle, "'>",
               escaped_html(chart.y_label), "</text>");
  }
  out += "</g>";
}

double label_width(const Ticks& ticks) {
  std::size_t longest = 1;
  for (const double tick : ticks.values) longest = std::max(longest, tick_label(tick, ticks.step).size());
  return static_cast<double>(longest) * kCharacter;
}

std::string description(const Chart& chart) {
  std::string text = cat("Line chart: ", chart.title);
  for (const Series& series : chart.series) {
    if (!series.points.empty())
      text += cat("; ", series.name, " ends at ", value_label(series.points.back().second));
  }
  return text;
}

}  // namespace

std::string chart_svg(const Chart& chart) {
  std::vector<std::vector<Run>> runs;
  Extent wide, tall;
  for (const Series& series : chart.series) {
    runs.push_back(runs_of(series));
    for (const Run& run : runs.back()) {
      for (const Place& place : run) wide.add(place.x), tall.add(place.low), tall.add(place.high);
    }
  }
  std::string out =
      cat("<svg class='chart' viewBox='0 0 ", kWidth, " ", kHeight,
          "' role='img' font-family='system-ui,sans-serif' font-size='12' "
          "fill='currentColor' aria-label='",
          escaped_html(description(chart)), "'><text x='12' y='22' font-size='14' font-weight='600'>",
          escaped_html(chart.title), "</text>");
  if (wide.empty()) {
    return out + cat("<text text-anchor='middle' x='", kWidth / 2, "' y='", kHeight / 2,
                     "' fill-opacity='.6'>no values yet</text></svg>");
  }
  double top = 44;
  if (chart.series.size() > 1) top = draw_legend(out, chart, runs, 44);
  if (wide.low == wide.high) wide.low -= 1, wide.high += 1;
  tall.settle();
  Ticks up = ticks_between(tall.low, tall.high, 5);
  const Scale y{std::min(tall.low, std::floor(tall.low / up.step + 1e-9) * up.step),
                std::max(tall.high, std::ceil(tall.high / up.step - 1e-9) * up.step), kHeight - kBottom, top};
  up = ticks_between(y.low, y.high, (y.high - y.low) / up.step);
  const double left = (chart.y_label.empty() ? 14 : 30) + label_width(up) + 4;
  const Scale x{wide.low, wide.high, left, kWidth - kRight};
  draw_axes(out, chart, x, y, ticks_between(wide.low, wide.high, 6), up);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out += cat("<g style='color:", color(i), "'>");
    for (const Run& run : runs[i]) draw_run(out, run, x, y, chart.series[i].points.size() <= kDots);
    draw_tooltips(out, chart, chart.series[i], runs[i], x, y);
    out += "</g>";
  }
  return out + "</svg>";
}

}  // namespace duet
