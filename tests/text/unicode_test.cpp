#include "text/unicode.h"

#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

using namespace std::string_literals;

TEST(InvalidUtf8, FindsTheFirstBadByte) {
  EXPECT_EQ(invalid_utf8(""), std::nullopt);
  EXPECT_EQ(invalid_utf8("heart 心 ❤️ \U0001f600"), std::nullopt);
  EXPECT_EQ(invalid_utf8("a\0b"s), std::nullopt);
  EXPECT_EQ(invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(invalid_utf8("é\xc3"), 2u);             // cut
  EXPECT_EQ(invalid_utf8("\xc0\x80"), 0u);          // overlong
  EXPECT_EQ(invalid_utf8("x\xed\xa0\x80"), 1u);     // surrogate
  EXPECT_EQ(invalid_utf8("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
}

TEST(ToUtf8, StripsAndConverts) {
  EXPECT_EQ(to_utf8("\xef\xbb\xbfhé"), "hé");
  EXPECT_EQ(to_utf8("plain"), "plain");
  EXPECT_EQ(to_utf8("\xff\xfe"
                    "h\0\xe9\0\x3d\xd8\x00\xde"s),
            "hé\U0001f600");
  EXPECT_EQ(to_utf8("\xfe\xff"
                    "\0h\0\xe9\xd8\x3d\xde\x00"s),
            "hé\U0001f600");
  EXPECT_EQ(to_utf8("\xff\xfe"), "");
  EXPECT_EQ(to_utf8("\xff\xfe\x3d\xd8"), "\ufffd");       // half a pair
  EXPECT_EQ(to_utf8("\xff\xfe\x00\xdex\0"s), "\ufffdx");  // the other half
  EXPECT_EQ(to_utf8("\xff\xfeh\0x"s), "h\ufffd");         // half a unit
}

TEST(DisplayWidth, CountsTerminalCells) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("heart"), 5u);
  EXPECT_EQ(display_width("é"), 1u);
  EXPECT_EQ(display_width("e\u0301"), 1u);  // combining accent
  EXPECT_EQ(display_width("心臓"), 4u);
  EXPECT_EQ(display_width("\U0001f600"), 2u);
  EXPECT_EQ(display_width("\u2764\ufe0f"), 2u);                                // heart in emoji style
  EXPECT_EQ(display_width("\U0001f1e9\U0001f1ea"), 2u);                        // a flag is two letters
  EXPECT_EQ(display_width("\U0001f468\u200d\U0001f469\u200d\U0001f467"), 2u);  // a family is one picture
  EXPECT_EQ(display_width("قلب"), 3u);
  EXPECT_EQ(display_width("\xff\xfe"), 2u);
}

TEST(Composed, MakesOneCharacterOfALetterAndItsAccents) {
  EXPECT_EQ(composed("e\u0301te\u0301"), "\u00e9t\u00e9");
  EXPECT_EQ(composed("\u304b\u3099"), "\u304c");        // ga
  EXPECT_EQ(composed("\u1112\u1161\u11ab"), "\ud55c");  // han
  for (const char* same : {"", "Plain  text", "\u00e9t\u00e9", "\u2460\ufb01\u00b2", "\u2764\ufe0f"})
    EXPECT_EQ(composed(same), same);  // nothing else changes: no capitals, no compatibility forms
  EXPECT_EQ(composed("a\0b"s), "a\0b"s);
  EXPECT_EQ(failure_of([] { composed("\xff"); }).exit, Exit::data);
}

TEST(Clipped, CutsBetweenCharacters) {
  EXPECT_EQ(clipped("heart", 5), "heart");
  EXPECT_EQ(clipped("hearts", 5), "hear…");
  EXPECT_EQ(clipped("心臓心臓", 6), "心臓…");
  EXPECT_EQ(clipped("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(clipped("\U0001f468\u200d\U0001f469\u200d\U0001f467 family", 2), "…");
  EXPECT_EQ(clipped("abc", 0), "");
  EXPECT_EQ(clipped("abc", 1), "…");
  for (std::size_t cells = 0; cells < 12; ++cells) {
    const std::string text = clipped("a 心 ❤️ é \xff x", cells);
    EXPECT_LE(display_width(text), cells) << text;
  }
}

TEST(Folded, NormalisesCaseWidthAndSpace) {
  EXPECT_EQ(folded("  A Red\t\nHEART  "), "a red heart");
  EXPECT_EQ(folded("Straße"), "strasse");
  EXPECT_EQ(folded("ＡＢＣ　ﬁ"), "abc fi");  // full width, ideographic space, ligature
  EXPECT_EQ(folded("e\u0301"), "é");
  EXPECT_EQ(folded("СЕРДЦЕ"), "сердце");
  EXPECT_EQ(folded("\u00a0x\u2003y\u0085"), "x y");
  EXPECT_EQ(folded(" \n "), "");
  EXPECT_EQ(folded(folded("ǅ İ ẞ")), folded("ǅ İ ẞ"));
  EXPECT_EQ(failure_of([] { folded("a\xff"); }).exit, Exit::data);
}

TEST(Words, OfAnyScript) {
  EXPECT_EQ(words("A red-hot heart, no. 3!"),
            (std::vector<std::string>{"a", "red", "hot", "heart", "no", "3"}));
  EXPECT_EQ(words("Красное сердце"), (std::vector<std::string>{"красное", "сердце"}));
  EXPECT_EQ(words("قلب أحمر"), (std::vector<std::string>{"قلب", "أحمر"}));
  EXPECT_EQ(words("हिन्दी भाषा").size(), 2u);  // vowel signs belong to the word
  EXPECT_EQ(words("赤いハート、心"), (std::vector<std::string>{"赤いハート", "心"}));
  EXPECT_TRUE(words(" ❤️ … ").empty());
}

}  // namespace
}  // namespace duet
