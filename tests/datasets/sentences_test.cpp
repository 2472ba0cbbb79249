#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/format.h"
#include "core/log.h"
#include "datasets/loader.h"
#include "datasets/source.h"
#include "scratch.h"

namespace duet {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Scratch;
using testing::test_image;

class Sentences : public ::testing::Test {
 protected:
  void SetUp() override { set_verbosity(Verbosity::quiet); }
  void TearDown() override { set_verbosity(Verbosity::normal); }

  Source read(std::string_view content, const std::string& name = "text.txt",
              const std::string& format = "auto") {
    return read_source({.data = scratch_.write(name, content).string(), .format = format});
  }
  std::string refused(std::string_view content, const std::string& format = "auto") {
    return error_of([&] { read(content, "text.txt", format); });
  }

  Scratch scratch_;
};

std::vector<std::string> texts_of(const Source& source) {
  std::vector<std::string> texts;
  for (const Pair& pair : source.pairs) {
    EXPECT_EQ(pair.captions.size(), 1u);
    texts.push_back(pair.captions[0]);
  }
  return texts;
}

std::vector<std::string> documents_of(const Source& source) {
  std::vector<std::string> keys;
  for (const Pair& pair : source.pairs) keys.push_back(pair.concept_key);
  return keys;
}

TEST_F(Sentences, OneALineAndDocumentsBetweenBlankLines) {
  const Source source = read("\n\nIt rains. \n\tWe stay.\n \t\n\nThe sun shines.\nWe go.\nWe swim.\n\n");
  EXPECT_THAT(texts_of(source), ElementsAre("It rains.", "We stay.", "The sun shines.", "We go.", "We swim."));
  EXPECT_THAT(documents_of(source),
              ElementsAre("document-1", "document-1", "document-2", "document-2", "document-2"));
  std::vector<std::int64_t> lines;
  for (const Pair& pair : source.pairs) {
    lines.push_back(pair.line);
    EXPECT_EQ(pair.image, "");
  }
  EXPECT_THAT(lines, ElementsAre(3, 4, 7, 8, 9));
  EXPECT_EQ(source.rows, 5);
  EXPECT_THAT(source.place_of(source.pairs[2]), HasSubstr("text.txt:7"));
  EXPECT_FALSE(source.has_pictures());
  EXPECT_TRUE(source.has_texts());
  EXPECT_TRUE(source.has_follows());
}

TEST_F(Sentences, WithoutABlankLineBetweenThemTheyAreUnrelated) {
  for (const char* content : {"one\ntwo\nthree", "\n\none\ntwo\nthree\n\n"}) {
    const Source source = read(content);
    EXPECT_THAT(documents_of(source), ElementsAre("", "", ""));
    EXPECT_FALSE(source.has_follows());
  }
  const Source source = read("one\n\ntwo\n\nthree");
  EXPECT_THAT(documents_of(source), ElementsAre("document-1", "document-2", "document-3"));
  EXPECT_FALSE(source.has_follows());
}

TEST_F(Sentences, LineEndsAndEncodings) {
  const std::vector<std::string> expected = {"Łódź", "two", "three"};
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const Source source = read(cat("Łódź", end, "two", end, end, "three", end));
    EXPECT_EQ(texts_of(source), expected);
    EXPECT_THAT(documents_of(source), ElementsAre("document-1", "document-1", "document-2"));
    EXPECT_EQ(source.pairs[2].line, 4);
  }
  EXPECT_EQ(texts_of(read("\xEF\xBB\xBFŁódź\ntwo\n\nthree")), expected);
  EXPECT_THAT(texts_of(read("\xFF\xFEo\0n\0e\0\n\0\n\0t\0w\0o\0"s)), ElementsAre("one", "two"));
}

TEST_F(Sentences, WhatIsNoText) {
  for (const char* content : {"", "\n \r\n\t\n", "\xEF\xBB\xBF"})
    EXPECT_THAT(refused(content), AllOf(HasSubstr("text.txt: no sentences"), HasSubstr("a sentence a line")));
  EXPECT_THAT(refused("one\nt\0wo"s), HasSubstr("text.txt:2:2: a NUL byte"));
  EXPECT_THAT(refused("one\ncaf\xE9\n"), HasSubstr("text.txt:2:4: byte 0xE9 is no UTF-8"));
  EXPECT_THAT(refused(png_bytes(test_image(4, 4))), HasSubstr("is a PNG picture, not a text"));
  const std::string none = (scratch_.folder() / "none.txt").string();
  EXPECT_THAT(error_of([&] { read_source({.data = none}); }), HasSubstr("no such file"));
  EXPECT_THAT(error_of([&] { read_source({.data = scratch_.folder().string(), .format = "sentences"}); }),
              HasSubstr("is a directory"));
}

// A table that somebody called .txt is read as before; a sentence with such words in it is none.
TEST_F(Sentences, TablesByTheSameName) {
  scratch_.write("a.png", "");
  for (const char* content : {"filepath\ttitle\na.png\ta cat\n", "Image,Caption\r\na.png,a cat\r\n",
                              "\"file\";\"caption\"\na.png;a cat\n", "\xEF\xBB\xBFpath,text\na.png,a cat"}) {
    const Source source = read(content);
    EXPECT_EQ(source.pairs[0].image, "a.png") << content;
    EXPECT_THAT(texts_of(source), ElementsAre("a cat"));
  }
  for (const char* content :
       {"image", "Image, sound.", "a file, that is\nsaid", "one,\ntwo", "\"file, he said"})
    EXPECT_FALSE(read(content).has_pictures()) << content;
  EXPECT_FALSE(read("filepath\ttitle\na.png\ta cat\n", "text.txt", "sentences").has_pictures());
  EXPECT_THAT(texts_of(read("one\ntwo", "text", "sentences")), ElementsAre("one", "two"));
}

TEST_F(Sentences, WhatFollows) {
  const Source source = read("a\nb\nc\n\nd\n\ne\nf\n");
  const std::vector<std::vector<std::string>> expected = {{"b"}, {"c"}, {}, {}, {"f"}, {}};
  for (std::size_t row = 0; row < expected.size(); ++row)
    EXPECT_EQ(source.follows(static_cast<std::int64_t>(row)), expected[row]) << row;
  // In a part of it "a" and "c" stand beside each other, but did not in the text.
  const Source part = source.subset({0, 2, 4, 5}, "part");
  EXPECT_THAT(part.follows(0), IsEmpty());
  EXPECT_THAT(part.follows(2), ElementsAre("f"));
}

TEST_F(Sentences, OtherCaptionsFollowThoseOfAPicture) {
  Source source;
  source.pairs = {{.image = "a.png", .captions = {"cat", "tabby", "cat"}, .columns = {}},
                  {.image = "b.png", .captions = {"dog"}, .columns = {}},
                  {.image = "c.png", .captions = {"owl", "owl"}, .columns = {}},
                  {.image = "d.png", .captions = {}, .columns = {}}};
  EXPECT_THAT(source.follows(0, 0), ElementsAre("tabby"));
  EXPECT_THAT(source.follows(0, 1), ElementsAre("cat", "cat"));
  for (const std::int64_t row : {1, 2, 3}) EXPECT_THAT(source.follows(row), IsEmpty());
  EXPECT_TRUE(source.has_follows());
  EXPECT_FALSE(source.subset({1, 2, 3}, "rest").has_follows());
}

TEST_F(Sentences, IdsDifferEvenWhereTextsAreEqual) {
  const Source source = read("yes\nyes\nno\n\nyes\n");
  std::set<std::int64_t> images, concepts;
  for (std::int64_t row = 0; row < 4; ++row) {
    images.insert(source.image_id(row));
    concepts.insert(source.concept_id(row));
  }
  EXPECT_EQ(images.size(), 4u);
  EXPECT_EQ(concepts.size(), 2u);
  EXPECT_EQ(source.concept_id(0), source.concept_id(2));
  const Source list = read("yes\nyes\n");
  EXPECT_NE(list.concept_id(0), list.concept_id(1));
}

// `documents` of three sentences each.
std::string corpus(int documents, int first = 0) {
  std::string text;
  for (int i = first; i < first + documents; ++i)
    text += cat("document ", i, " begins\nit goes on ", i, "\nthe end\n\n");
  return text;
}

TEST_F(Sentences, DocumentsAreSplitAsAWhole) {
  const Source source = read(corpus(100));
  const auto [train, validation] = split_off(source, 0.1);
  EXPECT_EQ(train.pairs.size(), 270u);
  EXPECT_EQ(validation.pairs.size(), 30u);
  std::set<std::string> kept, off;
  for (const Pair& pair : train.pairs) kept.insert(pair.concept_key);
  for (const Pair& pair : validation.pairs) off.insert(pair.concept_key);
  EXPECT_EQ(kept.size(), 90u);
  EXPECT_EQ(off.size(), 10u);
  EXPECT_EQ(validation.follows(0).size(), 1u);
  // Two documents are enough, and are not torn apart.
  EXPECT_EQ(split_off(read(corpus(2)), 0.1).second.pairs.size(), 3u);
}

TEST_F(Sentences, TheSplitDoesNotDependOnHowDocumentsAreNumbered) {
  const auto off = [&](const std::string& text) {
    std::set<std::string> texts;
    for (const Pair& pair : split_off(read(text), 0.2).second.pairs) texts.insert(pair.captions[0]);
    return texts;
  };
  EXPECT_EQ(off(corpus(40) + corpus(60, 40)), off(corpus(60, 40) + corpus(40)));
}

TEST_F(Sentences, EqualDocumentsAndEqualSentencesStayTogether) {
  for (const double fraction : {0.1, 0.3, 0.5}) {
    std::map<std::string, int> found;
    for (const Pair& pair : split_off(read(corpus(30) + corpus(30)), fraction).second.pairs)
      if (pair.captions[0] != "the end") ++found[pair.captions[0]];
    for (const auto& [text, count] : found) EXPECT_EQ(count, 2) << text;
  }
  std::string list;
  for (int i = 0; i < 100; ++i) list += cat("sentence ", i % 50, "\n");
  const Source off = split_off(read(list), 0.3).second;
  EXPECT_EQ(off.pairs.size(), 30u);
  std::map<std::string, int> found;
  for (const Pair& pair : off.pairs) ++found[pair.captions[0]];
  for (const auto& [text, count] : found) EXPECT_EQ(count, 2) << text;
  EXPECT_THAT(error_of([&] { split_off(read("same\nsame\n"), 0.5); }),
              AllOf(HasSubstr("all documents or sentences are one"), Not(HasSubstr("picture"))));
}

TEST_F(Sentences, AreCheckedAsSentences) {
  check_captions(read("007\n2024-05-01 12.30.11\n"));  // numbers are sentences of a kind
  std::string same;
  for (int i = 0; i < 20; ++i) same += "again\n";
  EXPECT_THAT(error_of([&] { check_captions(read(same)); }),
              AllOf(HasSubstr("100 % of the sentences are equal: 'again'"), Not(HasSubstr("picture"))));
}

TEST_F(Sentences, Examined) {
  const SourceReport report = examine(read("yes\na long sentence\nno\n\nyes\nyes\n"), 10, 2);
  EXPECT_EQ(report.rows, 5);
  EXPECT_EQ(report.captions, 5);
  EXPECT_EQ(report.concepts, 2);
  EXPECT_EQ(report.duplicate_captions, 2);
  EXPECT_EQ(report.long_captions, 1);
  EXPECT_EQ(report.empty_captions, 0);
  EXPECT_EQ(report.pictures, 0);
  EXPECT_THAT(report.missing, IsEmpty());
  EXPECT_THAT(report.unreadable, IsEmpty());
  EXPECT_THAT(report.sizes, IsEmpty());
}

TEST_F(Sentences, HaveNoPicturesToEmbed) {
  EXPECT_THAT(error_of([&] {
                for_each_image(read("one\ntwo"), {}, 2, 0, 100, {}, [](std::int64_t, torch::Tensor) {});
              }),
              AllOf(HasSubstr("text.txt: is a text without pictures"), HasSubstr("folder of pictures")));
}

TEST_F(Sentences, NeedNoPixelCache) {
  EXPECT_EQ(make_pixel_cache(read("one\ntwo"), {}, {.cache = "memory"}), nullptr);
}

TEST_F(Sentences, PicturesAloneAreASourceToo) {
  for (const char* name : {"a.png", "b, c.png"}) scratch_.write(name, png_bytes(test_image(4, 4)));
  const std::string manifest = scratch_.write("pictures.tsv", "filepath\na.png\n\"b, c.png\"\n").string();
  const Source source = read_source({.data = manifest}, false);
  ASSERT_EQ(source.pairs.size(), 2u);
  EXPECT_EQ(source.pairs[1].image, "b, c.png");
  EXPECT_TRUE(source.has_pictures());
  EXPECT_FALSE(source.has_texts());
  EXPECT_FALSE(source.has_follows());
  const SourceReport report = examine(source, 10, 1);
  EXPECT_EQ(report.pictures, 2);
  EXPECT_EQ(report.captions, 0);
  EXPECT_EQ(report.empty_captions, 0);
  EXPECT_THAT(report.duplicate_pictures, ElementsAre("a.png = b, c.png"));
  // Where some have captions, one without is a gap.
  const std::string gap = scratch_.write("gap.tsv", "filepath\ttitle\na.png\ta cat\nb, c.png\t\n").string();
  EXPECT_EQ(examine(read_source({.data = gap}, false), 10, 1).empty_captions, 1);
  EXPECT_TRUE(read_source({.data = "shapes:4:1"}).has_pictures());
}

}  // namespace
}  // namespace duet
