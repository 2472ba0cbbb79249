#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "report/page.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

Chart chart_of(std::vector<Series> series) { return {"Loss", "step", "loss", std::move(series)}; }

// Every drawn number, to see that none is NaN or outside the drawing.
void expect_inside(const std::string& svg) {
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  const std::regex x("(?:cx|x1|x2|x)='(-?[0-9.]+)'"), y("(?:cy|y1|y2|y)='(-?[0-9.]+)'");
  for (auto m = std::sregex_iterator(svg.begin(), svg.end(), x); m != std::sregex_iterator(); ++m) {
    EXPECT_GE(std::stod((*m)[1]), 0);
    EXPECT_LE(std::stod((*m)[1]), 540);
  }
  for (auto m = std::sregex_iterator(svg.begin(), svg.end(), y); m != std::sregex_iterator(); ++m) {
    EXPECT_GE(std::stod((*m)[1]), 0);
    EXPECT_LE(std::stod((*m)[1]), 300);
  }
}

TEST(Chart, DrawsAxesLegendAndValues) {
  const std::string svg = chart_svg(chart_of({{"train", {{0, 4}, {100, 2}}}, {"val", {{0, 5}, {100, 3}}}}));
  for (const char* part :
       {">Loss<", ">step<", ">loss<", ">train <", ">val <", ">5<", ">100<", "train: 2\nstep 100"}) {
    EXPECT_THAT(svg, HasSubstr(part));
  }
  EXPECT_THAT(svg, HasSubstr("role='img'"));
  EXPECT_THAT(svg, HasSubstr("val ends at 3"));
  expect_inside(svg);
}

TEST(Chart, OneSeriesNeedsNoLegend) {
  EXPECT_THAT(chart_svg(chart_of({{"only", {{0, 1}, {1, 2}}}})), Not(HasSubstr(">only <")));
}

TEST(Chart, ValuesNotFiniteLeaveAGap) {
  const std::string svg =
      chart_svg(chart_of({{"x", {{0, 1}, {1, 2}, {2, kNan}, {3, 4}, {4, INFINITY}, {5, 1}, {6, 2}}}}));
  EXPECT_EQ(count_of(svg, "fill='none' stroke='currentColor'"), 3u);
  expect_inside(svg);
}

TEST(Chart, NothingFiniteIsSaid) {
  EXPECT_THAT(chart_svg(chart_of({})), HasSubstr("no values yet"));
  EXPECT_THAT(chart_svg(chart_of({{"x", {}}, {"y", {{0, kNan}}}})), HasSubstr("no values yet"));
}

TEST(Chart, OnePointAndEqualValuesAreDrawn) {
  for (const double value : {0.0, 5.0, -3.0, 1e-12, 1e15}) {
    expect_inside(chart_svg(chart_of({{"x", {{7, value}}}})));
    expect_inside(chart_svg(chart_of({{"x", {{7, value}, {8, value}}}})));
  }
}

TEST(Chart, EveryMagnitudeFits) {
  for (const double scale : {1e-9, 1e-3, 1.0, 12345.0, 1e7, 1e12}) {
    std::vector<std::pair<double, double>> points;
    for (int i = 0; i <= 20; ++i) points.emplace_back(i * scale, std::sin(i) * scale);
    const std::string svg = chart_svg(chart_of({{"x", points}}));
    expect_inside(svg);
    EXPECT_GE(count_of(svg, "text-anchor='end'"), 3u) << scale;
    EXPECT_LE(count_of(svg, "text-anchor='end'"), 11u) << scale;
  }
}

TEST(Chart, LongSeriesAreBucketsInABand) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < 100000; ++i) points.emplace_back(i, std::cos(i));
  const std::string svg = chart_svg(chart_of({{"x", points}}));
  EXPECT_LT(svg.size(), 40000u);
  EXPECT_THAT(svg, HasSubstr("fill-opacity='.16'"));
  EXPECT_LE(count_of(svg, "<title>"), 82u);
  expect_inside(svg);
}

TEST(Chart, ManySeriesWrapTheLegend) {
  std::vector<Series> series;
  for (int i = 0; i < 9; ++i) {
    series.push_back({"a rather long name of series " + std::to_string(i), {{0, i}, {1, i + 1}}});
  }
  expect_inside(chart_svg(chart_of(series)));
}

}  // namespace
}  // namespace duet
