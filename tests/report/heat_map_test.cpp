#include "report/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "core/format.h"
#include "report/page.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// `classes` classes of ten items, nine told right and one taken for the next class.
HeatMap map_of(std::size_t classes) {
  HeatMap map{.title = "Confusion", .names = {}, .counts = {}};
  for (std::size_t i = 0; i < classes; ++i) {
    map.names.push_back(cat("class number ", i));
    map.counts.emplace_back(classes);
    map.counts[i][i] = 9;
    map.counts[i][(i + 1) % classes] += 1;
  }
  return map;
}

// No drawn rectangle and no name lies outside of the picture.
void expect_inside(const std::string& svg) {
  std::smatch size;
  ASSERT_TRUE(std::regex_search(svg, size, std::regex("viewBox='0 0 ([0-9.]+) ([0-9.]+)'")));
  const double width = std::stod(size[1]), height = std::stod(size[2]);
  EXPECT_LE(width, 1120);
  const std::regex rectangle("<rect x='(-?[0-9.]+)' y='(-?[0-9.]+)' width='([0-9.]+)' height='([0-9.]+)'");
  for (auto m = std::sregex_iterator(svg.begin(), svg.end(), rectangle); m != std::sregex_iterator(); ++m) {
    EXPECT_GE(std::stod((*m)[1]), 0);
    EXPECT_GE(std::stod((*m)[2]), 0);
    EXPECT_LE(std::stod((*m)[1]) + std::stod((*m)[3]), width + .1);
    EXPECT_LE(std::stod((*m)[2]) + std::stod((*m)[4]), height + .1);
  }
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(HeatMap, TellsEveryCellThatWasAnswered) {
  const std::string svg = heat_map_svg(map_of(3));
  EXPECT_THAT(svg, HasSubstr("<title>class number 0, told right: 9 of 10 (90 %)</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>class number 2 taken for class number 0: 1 of 10 (10 %)</title>"));
  EXPECT_EQ(count_of(svg, " of 10 ("), 6u);
  EXPECT_EQ(count_of(svg, ">9</text>"), 3u);
  for (const char* part : {">truth<", ">answer<", ">Confusion<", ">right<", ">wrong<"})
    EXPECT_THAT(svg, HasSubstr(part));
  expect_inside(svg);
}

TEST(HeatMap, ColourIsTheShareOfTheRow) {
  HeatMap map{.title = "", .names = {"rare", "frequent"}, .counts = {{1, 1}, {500, 500}}};
  const std::string even = heat_map_svg(map);
  const std::regex strength("<g><rect[^>]*fill-opacity='([0-9.]+)'");
  std::vector<std::string> seen;
  for (auto m = std::sregex_iterator(even.begin(), even.end(), strength); m != std::sregex_iterator(); ++m)
    seen.push_back((*m)[1]);
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_THAT(seen, testing::Each(seen.front()));
}

TEST(HeatMap, FitsTwoToHundredsOfClasses) {
  for (const std::size_t classes : {2, 7, 30, 31, 100, 400}) {
    const std::string svg = heat_map_svg(map_of(classes));
    expect_inside(svg);
    EXPECT_EQ(count_of(svg, " of 10 ("), 2 * classes) << classes;
    // Names are set where they can be read: else the pointer tells them.
    EXPECT_EQ(svg.find(">class number 1<") != std::string::npos, classes <= 100) << classes;
  }
}

TEST(HeatMap, CutsLongNamesAndTellsThemInFull) {
  HeatMap map = map_of(2);
  map.names[0] = "a name of a class that goes on and on beyond all bounds of good sense";
  const std::string svg = heat_map_svg(map);
  EXPECT_THAT(svg, HasSubstr("…<title>" + map.names[0] + "</title></text>"));
  expect_inside(svg);
}

TEST(HeatMap, EscapesNamesAndLeavesOutEmptyRows) {
  HeatMap map{.title = "<b>", .names = {"<i>&'", "b"}, .counts = {{0, 0}, {1, 0}}};
  const std::string svg = heat_map_svg(map);
  EXPECT_THAT(svg, Not(HasSubstr("<i>")));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
  EXPECT_EQ(count_of(svg, " taken for "), 1u);
  expect_inside(svg);
}

TEST(HeatMap, StandsInAPage) {
  Page page{.title = "probe"};
  page.heat_maps = {map_of(2), map_of(3)};
  EXPECT_EQ(count_of(to_html(page), "Confusion matrix: "), 2u);
}

}  // namespace
}  // namespace duet
