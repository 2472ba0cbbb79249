#include "cli/search_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/files.h"
#include "tests/support/temporary_folder.h"
#include "text/unicode.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

ShownHit hit(float score, const std::string& path, std::vector<std::string> captions) {
  ShownHit made;
  made.score = score;
  made.item.path = path;
  made.item.captions = std::move(captions);
  made.item.concept_key = "c";
  made.item.columns = {"noto"};
  made.file = fs::path("/pictures") / path;
  made.shown = path;
  return made;
}

const std::vector<ShownHit>& hits() {
  static const std::vector<ShownHit> all = {
      hit(0.91234F, "noto/heart.png", {"red heart", "love"}),
      hit(0.5F, "twemoji/赤いハート.png", {"赤いハート、愛のしるし"}),
      hit(-0.02F, "a/very/long/path/of/folders/in/folders/in/folders/rose.png",
          {"a rose is a rose is a rose, and a caption may go on and on and on and on and on"}),
      hit(0.1F, "bare.png", {}),
  };
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(SearchOutput, LinesAreStable) {
  const auto lines = lines_of(hit_lines(hits()));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "1\t0.9123\tnoto/heart.png\tred heart");
  EXPECT_EQ(lines[3], "4\t0.1000\tbare.png\t");
}

TEST(SearchOutput, LinesHoldThreeTabsWhateverACaptionHolds) {
  const auto lines = lines_of(hit_lines({hit(1, "a\tb\n.png", {"x\ty\r\nz\x1b]0;title\a"})}));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(std::count(lines[0].begin(), lines[0].end(), '\t'), 3);
  EXPECT_THAT(lines[0], Not(HasSubstr("\x1b")));
}

TEST(SearchOutput, TableFitsTheTerminalInCells) {
  for (const std::size_t columns : {40, 60, 80, 120, 200}) {
    for (const std::string& line : lines_of(hit_table(hits(), {columns, false, false}))) {
      EXPECT_LE(display_width(line), columns) << line;
    }
  }
}

TEST(SearchOutput, TableColumnsStandUnderEachOther) {
  const auto lines = lines_of(hit_table(hits(), {100, false, false}));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], testing::StartsWith(" #   score  picture"));
  const auto cells_before = [](const std::string& line, const std::string& part) {
    return display_width(std::string_view(line).substr(0, line.find(part)));
  };
  const std::size_t at = cells_before(lines[1], "red heart");
  EXPECT_EQ(cells_before(lines[2], "赤いハート、"), at);
  EXPECT_EQ(cells_before(lines[3], "a rose"), at);
  EXPECT_EQ(cells_before(lines[0], "caption"), at);
  EXPECT_THAT(lines[1], testing::StartsWith(" 1   0.912  noto/heart.png"));
  EXPECT_THAT(lines[3], testing::StartsWith(" 3  -0.020  …"));
  EXPECT_THAT(lines[3], HasSubstr("rose.png"));
}

TEST(SearchOutput, LinksDoNotChangeTheLayout) {
  std::string linked = hit_table(hits(), {80, true, false});
  for (std::size_t begin; (begin = linked.find("\x1b]8;;")) != std::string::npos;) {
    linked.erase(begin, linked.find("\x1b\\", begin) + 2 - begin);
  }
  EXPECT_EQ(linked, hit_table(hits(), {80, false, false}));
}

TEST(SearchOutput, NoHitsAreAHeader) { EXPECT_EQ(lines_of(hit_table({}, {80, false, false})).size(), 1u); }

TEST(SearchOutput, JsonHoldsEverything) {
  SearchOptions options;
  options.query = "heart";
  const auto json = hit_json(hits(), {"style"}, 11687, options);
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["query"], "heart");
  EXPECT_EQ(json["bundle_size"], 11687);
  ASSERT_EQ(json["hits"].size(), 4u);
  const auto& first = json["hits"][0];
  EXPECT_EQ(first["rank"], 1);
  EXPECT_DOUBLE_EQ(first["score"].get<double>(), 0.91234);
  EXPECT_EQ(first["path"], "noto/heart.png");
  EXPECT_EQ(first["file"], "/pictures/noto/heart.png");
  EXPECT_EQ(first["caption"], "red heart");
  EXPECT_EQ(first["captions"], (std::vector<std::string>{"red heart", "love"}));
  EXPECT_EQ(first["concept"], "c");
  EXPECT_EQ(first["columns"]["style"], "noto");
  EXPECT_EQ(json["hits"][3]["caption"], "");
}

TEST(SearchOutput, JsonOfAPictureNamesIt) {
  SearchOptions options;
  options.image = "q.png";
  const auto json = hit_json({}, {}, 3, options);
  EXPECT_EQ(json["image"], "q.png");
  EXPECT_FALSE(json.contains("query"));
}

TEST(SearchOutput, PageInlinesSmallPicturesAndLinksLargeOnes) {
  const TemporaryFolder folder;
  const std::string png = "\x89PNG\r\n\x1a\n";
  write_file(folder / "small.png", png);
  write_file(folder / "large.png", png + std::string(300 * 1024, 'x'));
  std::vector<ShownHit> shown = {hit(0.9F, "small.png", {"small <b>"}), hit(0.8F, "large.png", {}),
                                 hit(0.7F, "gone.png", {"gone"})};
  for (ShownHit& one : shown) one.file = folder / one.item.path;
  SearchOptions options;
  options.query = "a & b";
  options.html = (folder / "page.html").string();
  const std::string html = hit_page(shown, 1000, options);
  EXPECT_THAT(html, HasSubstr("src=\"data:image/png;base64,iVBORw0KGgo=\""));
  EXPECT_THAT(html, HasSubstr("<a href=\"small.png\">"));
  EXPECT_THAT(html, HasSubstr("src=\"large.png\""));
  EXPECT_THAT(html, HasSubstr("src=\"gone.png\""));
  EXPECT_THAT(html, HasSubstr("<h1>a &amp; b</h1>"));
  EXPECT_THAT(html, HasSubstr("small &lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("1,000"));
}

}  // namespace
}  // namespace duet
