#include "cli/terminal.h"

#include <gtest/gtest.h>

#include "text/unicode.h"

namespace duet {
namespace {

TEST(Terminal, PrintableTextCommandsNothing) {
  EXPECT_EQ(printable("a\x1b[31mb\tc\nd\x7F"), "a [31mb c d ");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m\xC2\xA0x"),
            " 31m\xC2\xA0x");  // C1's CSI goes, a no-break space stays
  EXPECT_EQ(printable("caf\xE9"), "caf\xEF\xBF\xBD");
  EXPECT_EQ(printable("赤い ♥ قلب"), "赤い ♥ قلب");
}

TEST(Terminal, ClippedLeftKeepsTheEnd) {
  EXPECT_EQ(clipped_left("pictures/heart.png", 30), "pictures/heart.png");
  EXPECT_EQ(clipped_left("pictures/heart.png", 10), "…heart.png");
  EXPECT_EQ(clipped_left("画像/赤い心.png", 9), "…い心.png");
  EXPECT_EQ(display_width(clipped_left("画像/赤い心.png", 8)), 7u);  // half a wide character does not fit
  EXPECT_EQ(clipped_left("abc", 1), "…");
  EXPECT_EQ(clipped_left("abc", 0), "");
}

TEST(Terminal, PaddedCountsCells) {
  EXPECT_EQ(padded("ab", 4), "ab  ");
  EXPECT_EQ(padded("赤", 4), "赤  ");
  EXPECT_EQ(padded("abcdef", 4), "abcdef");
}

TEST(Terminal, WrappedBreaksBetweenWords) {
  EXPECT_EQ(wrapped("one two three four", 10, 2), "one two\n  three\n  four");
  EXPECT_EQ(wrapped("unbreakablyLong x", 8, 2), "unbreakablyLong\n  x");
  EXPECT_EQ(wrapped("", 10, 2), "");
}

TEST(Terminal, LinksEncodeTheirPath) {
  EXPECT_EQ(file_link("heart", "/a b/♥.png", false), "heart");
  const std::string link = file_link("heart", "/a b/♥.png", true);
  EXPECT_TRUE(link.starts_with("\x1b]8;;file://")) << link;
  EXPECT_NE(link.find("/a%20b/%E2%99%A5.png\x1b\\heart\x1b]8;;\x1b\\"), std::string::npos) << link;
}

}  // namespace
}  // namespace duet
