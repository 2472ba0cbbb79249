#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "core/format.h"
#include "datasets/source.h"
#include "scratch.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Source shapes(const std::string& data) { return read_source({.data = data}); }

TEST(Shapes, RowsAreAFunctionOfSeedAndRow) {
  const Source few = shapes("shapes:20:5"), many = shapes("shapes:200:5"), other = shapes("shapes:200:6");
  ASSERT_EQ(few.pairs.size(), 20u);
  int equal = 0;
  for (std::size_t row = 0; row < 20; ++row) {
    EXPECT_EQ(few.pairs[row].captions, many.pairs[row].captions);
    EXPECT_EQ(few.draw(static_cast<std::int64_t>(row)).rgb, many.draw(static_cast<std::int64_t>(row)).rgb);
    equal += few.draw(static_cast<std::int64_t>(row)).rgb == other.draw(static_cast<std::int64_t>(row)).rgb;
  }
  EXPECT_EQ(equal, 0);
}

TEST(Shapes, PairsSayWhatIsDrawn) {
  const Source source = shapes("shapes:2000:1");
  std::set<std::string> concepts;
  for (const Pair& pair : source.pairs) {
    ASSERT_EQ(pair.captions.size(), 1u);
    EXPECT_EQ(pair.captions[0],
              cat("a ", pair.columns[2], " ", pair.columns[0], " ", pair.columns[1], " ", pair.columns[3]));
    EXPECT_EQ(pair.concept_key, cat(pair.columns[0], " ", pair.columns[1]));
    concepts.insert(pair.concept_key);
  }
  EXPECT_EQ(concepts.size(), 48u);  // 8 colours x 6 shapes
  EXPECT_EQ(source.pairs[12].image, "shapes/000012");
  EXPECT_THAT(source.columns, ElementsAre("colour", "shape", "size", "position"));
}

// The darkest channel's deviation from the ground: where the ink is.
struct Ink {
  double x = 0, y = 0, area = 0;
};
Ink ink_of(const Image& image) {
  Ink ink;
  const std::uint8_t* ground = image.row(0);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = image.row(y) + 3 * x;
      int difference = 0;
      for (int c = 0; c < 3; ++c) difference = std::max(difference, std::abs(pixel[c] - ground[c]));
      if (difference < 60) continue;
      ink.x += x;
      ink.y += y;
      ++ink.area;
    }
  ink.x /= ink.area;
  ink.y /= ink.area;
  return ink;
}

TEST(Shapes, PicturesShowPositionAndSize) {
  const Source source = shapes("shapes:300:2");
  std::map<std::string, std::pair<double, int>> area;
  for (std::int64_t row = 0; row < 300; ++row) {
    const Pair& pair = source.pairs[static_cast<std::size_t>(row)];
    const Image image = source.draw(row);
    ASSERT_EQ(image.width, 64);
    ASSERT_EQ(image.height, 64);
    const Ink ink = ink_of(image);
    ASSERT_GT(ink.area, 20) << pair.captions[0];
    const std::string& where = pair.columns[3];
    const auto has = [&](const char* word) { return where.find(word) != std::string::npos; };
    EXPECT_EQ(ink.x < 26, has("left")) << pair.captions[0];
    EXPECT_EQ(ink.x > 38, has("right")) << pair.captions[0];
    EXPECT_EQ(ink.y < 26, has("top")) << pair.captions[0];
    EXPECT_EQ(ink.y > 38, has("bottom")) << pair.captions[0];
    if (pair.columns[1] == "circle") {
      area[pair.columns[2]].first += ink.area;
      ++area[pair.columns[2]].second;
    }
  }
  const auto mean = [&](const char* size) { return area[size].first / area[size].second; };
  EXPECT_NEAR(std::sqrt(mean("small") / 3.14159), 6.75, 0.8);
  EXPECT_NEAR(std::sqrt(mean("medium") / 3.14159), 10.5, 0.8);
  EXPECT_NEAR(std::sqrt(mean("large") / 3.14159), 15.25, 0.8);
}

TEST(Shapes, SubsetsDrawTheirOwnRows) {
  const Source source = shapes("shapes:10:1");
  const Source part = source.subset({7, 2}, "part");
  EXPECT_EQ(part.draw(0).rgb, source.draw(7).rgb);
  EXPECT_EQ(part.draw(1).rgb, source.draw(2).rgb);
  EXPECT_EQ(part.subset({1}, "less").draw(0).rgb, source.draw(2).rgb);
}

TEST(Shapes, FolderOfThatNameIsSpokenOf) {
  const testing::Scratch scratch;
  scratch.write("shapes/red kite.png", "x");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(scratch.folder());
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(read_source({.data = "shapes", .shapes_count = 3}).pairs.size(), 3u);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("write ./shapes for the folder"));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(read_source({.data = "./shapes"}).pairs.size(), 1u);
  read_source({.data = "shapes:3"});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("./shapes for")));
  std::filesystem::current_path(before);
}

TEST(Shapes, CountAndSeedComeFromOptionsOrName) {
  EXPECT_EQ(read_source({.data = "shapes", .shapes_count = 3}).pairs.size(), 3u);
  EXPECT_EQ(shapes("shapes").pairs.size(), 2048u);
  EXPECT_EQ(read_source({.data = "shapes:3", .shapes_seed = 9}).pairs[2].captions,
            shapes("shapes:3:9").pairs[2].captions);
  for (const char* wrong :
       {"shapes:", "shapes:x", "shapes:0", "shapes:5:", "shapes:5:6:7", "shapes:5x", "shapes:-1"})
    EXPECT_THAT(error_of([&] { shapes(wrong); }, Exit::usage), HasSubstr("shapes:COUNT:SEED")) << wrong;
}

}  // namespace
}  // namespace duet
