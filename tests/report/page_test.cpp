#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kEvil = "<img src=x onerror=\"alert('1')\">&";
const std::string kPng = "\x89PNG\r\n\x1a\n";

Picture picture(const std::string& title, double score, int right) {
  Picture made;
  made.bytes = kPng;
  made.title = title;
  made.score = score;
  made.right = right;
  return made;
}

Page full_page() {
  Page page;
  page.title = "Run <1>";
  page.subtitle = "six minutes";
  page.facts = {{"pairs", "540,000"}, {"parameters", "7.3 M"}};
  page.tables = {{"Scores", {"split", "R@1"}, {{"val", "0.72"}, {"novel", "0.25"}}}};
  page.charts = {{"Loss", "step", "loss", {{"loss", {{1, 3.0}, {2, 2.0}}}}}};
  page.contact_title = "Queries";
  page.contact = {{"a red heart", {picture("heart.png", 0.91234, 1), picture("rose.png", 0.5, 0)}},
                  {"a cat", {picture("cat.png", 0.4, -1)}}};
  page.text = "[train]\nlr = 1e-3\n";
  return page;
}

// Tags that are opened and not void are closed, in order.
void expect_balanced(const std::string& html) {
  const std::regex tag("<(/?)([a-z][a-z0-9]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>");
  std::vector<std::string> open;
  for (auto match = std::sregex_iterator(html.begin(), html.end(), tag); match != std::sregex_iterator();
       ++match) {
    const std::string name = (*match)[2], rest = (*match)[3];
    if (name == "img" || name == "meta" || rest.ends_with("/")) continue;
    if ((*match)[1].length() == 0) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << name;
      ASSERT_EQ(open.back(), name) << "at offset " << match->position();
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Page, HoldsEverythingItWasGiven) {
  const std::string html = to_html(full_page());
  for (const char* part :
       {"<title>Run &lt;1&gt;</title>", "six minutes", "540,000", "<caption>Scores</caption>", "0.72", "<svg",
        "Queries", "a red heart", "0.912", "data:image/png;base64,", "lr = 1e-3", "Recipe"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  expect_balanced(html);
}

TEST(Page, NeedsNoNetworkAndRunsNothing) {
  const std::string html = to_html(full_page());
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* part : {"http:", "https:", "<script", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(part)));
}

TEST(Page, EscapesTextInEveryPlace) {
  Page page;
  page.title = page.subtitle = page.contact_title = page.text = page.text_title = kEvil;
  page.facts = {{kEvil, kEvil}};
  page.tables = {{kEvil, {kEvil}, {{kEvil}}}};
  page.charts = {{kEvil, kEvil, kEvil, {{kEvil, {{1, 2}, {2, 3}}}, {kEvil, {{1, 2}, {2, 3}}}}}};
  Picture linked;
  linked.link = linked.title = linked.caption = kEvil;
  page.contact = {{kEvil, {linked}}};
  page.sheets = {{.title = kEvil, .note = kEvil, .cards = {{.pictures = {linked}, .words = kEvil}}}};
  const std::string html = to_html(page);
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, Not(HasSubstr("onerror=\"")));
  EXPECT_THAT(html, Not(HasSubstr("alert('1')")));
  expect_balanced(html);
}

TEST(Page, RightAnswersAreMarkedByMoreThanColour) {
  const std::string html = to_html(full_page());
  EXPECT_THAT(html, HasSubstr("<figure class=\"right\">"));
  EXPECT_THAT(html, HasSubstr("title=\"right\">&#10003;"));
  EXPECT_THAT(html, HasSubstr("<figure class=\"wrong\">"));
}

TEST(Page, OneRowIsAGalleryWithCaptions) {
  Page page;
  page.title = "sunset";
  Picture hit = picture("a.jpg", 0.3, -1);
  hit.link = "photos/a b.jpg";
  hit.caption = "the sun goes down";
  page.contact = {{"", {hit}}};
  const std::string html = to_html(page);
  EXPECT_THAT(html, HasSubstr("class=\"gallery\""));
  EXPECT_THAT(html, HasSubstr("<a href=\"photos/a%20b.jpg\">"));
  EXPECT_THAT(html, HasSubstr("the sun goes down"));
}

TEST(Page, SheetShowsPicturesSideBySide) {
  Page page;
  Picture hidden = picture("a.png", 0, -1), told = hidden;
  hidden.caption = "hidden";
  told.caption = "told";
  page.sheets = {{.title = "inpainting",
                  .note = "mean error 0.1",
                  .cards = {{.pictures = {hidden, told}, .words = "first", .right = 1},
                            {.pictures = {hidden}, .words = "second", .right = 0},
                            {.pictures = {told}, .words = "third"}}}};
  const std::string html = to_html(page);
  for (const char* part :
       {"<h2>inpainting</h2>", "mean error 0.1", "--side:2", "<figcaption>told</figcaption>",
        "title=\"right\">&#10003;</span> first", "title=\"wrong\">&#10007;</span> second", "<p>third</p>"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  const std::regex inlined("src=\"data:image/png;base64,");
  EXPECT_EQ(std::distance(std::sregex_iterator(html.begin(), html.end(), inlined), std::sregex_iterator()), 4);
  expect_balanced(html);
}

TEST(Page, UnknownBytesAreLinkedNotInlined) {
  Page page;
  Picture tiff = picture("scan.tif", 0.3, -1);
  tiff.bytes = "II*";
  tiff.link = "scan.tif";
  page.contact = {{"scans", {tiff}}, {"more", {}}};
  EXPECT_THAT(to_html(page), HasSubstr("src=\"scan.tif\""));
}

TEST(Page, NumbersAreSetToTheRight) {
  const std::string html = to_html(full_page());
  EXPECT_THAT(html, HasSubstr("<td>val</td><td class=\"num\">0.72</td>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\" class=\"num\">R@1</th>"));
}

TEST(Page, EmptyPageIsAPage) { expect_balanced(to_html(Page{})); }

}  // namespace
}  // namespace duet
