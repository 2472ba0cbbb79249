#include <gmock/gmock.h>

#include <string>

#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "datasets/source.h"
#include "scratch.h"

namespace duet {
namespace {

using namespace std::string_literals;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::Scratch;

class Tsv : public ::testing::Test {
 protected:
  void SetUp() override { set_verbosity(Verbosity::quiet); }
  void TearDown() override { set_verbosity(Verbosity::normal); }

  Source read(std::string_view content, SourceOptions options = {}, bool need_captions = true) {
    options.data = scratch_.write("photos.csv", content).string();
    return read_source(options, need_captions);
  }
  std::string refused(std::string_view content, const SourceOptions& options = {}, bool need_captions = true) {
    return error_of([&] { read(content, options, need_captions); });
  }
  std::string at(int line, std::string_view rest) {
    return cat((scratch_.folder() / "photos.csv").string(), ":", line, ": ", rest);
  }

  Scratch scratch_;
};

std::string utf16(const std::string& ascii, bool little) {
  std::string bytes = little ? "\xFF\xFE" : "\xFE\xFF";
  for (const char c : ascii) bytes += little ? std::string{c, '\0'} : std::string{'\0', c};
  return bytes;
}

TEST_F(Tsv, SeparatorsAreFoundOut) {
  for (const char* separator : {"\t", ",", ";"}) {
    const Source source =
        read(cat("filepath", separator, "title\na.png", separator, "a cat\nb.png", separator, "a dog\n"));
    ASSERT_EQ(source.pairs.size(), 2u) << separator;
    EXPECT_EQ(source.pairs[1].image, "b.png");
    EXPECT_THAT(source.pairs[1].captions, ElementsAre("a dog"));
    EXPECT_EQ(source.pairs[1].line, 3);
    EXPECT_EQ(source.root, scratch_.folder());
    EXPECT_EQ(source.path_of(source.pairs[1]), scratch_.folder() / "b.png");
  }
}

TEST_F(Tsv, KnownNamesDecideBetweenSeparators) {
  const Source source = read("filepath;title;notes, more, and, more\na.png;a cat, asleep;x\n");
  EXPECT_THAT(source.pairs[0].captions, ElementsAre("a cat, asleep"));
  EXPECT_THAT(source.columns, ElementsAre("notes, more, and, more"));
}

TEST_F(Tsv, QuotingIsThatOfRfc4180) {
  const Source source = read(
      "\"filepath\",caption,note\r\n"
      "\"a, b.png\",\"she said \"\"hello\"\"\",\"two\nlines\"\r\n"
      "c.png,5\" long,\r\n"
      "d.png,\"\"\"quoted\"\"\",x");
  ASSERT_EQ(source.pairs.size(), 3u);
  EXPECT_EQ(source.pairs[0].image, "a, b.png");
  EXPECT_THAT(source.pairs[0].captions, ElementsAre("she said \"hello\""));
  EXPECT_THAT(source.pairs[0].columns, ElementsAre("two\nlines"));
  EXPECT_THAT(source.pairs[1].captions, ElementsAre("5\" long"));
  EXPECT_THAT(source.pairs[1].columns, ElementsAre(""));
  EXPECT_EQ(source.pairs[1].line, 4);  // the quoted line break counts
  EXPECT_THAT(source.pairs[2].captions, ElementsAre("\"quoted\""));
}

TEST_F(Tsv, MarksLineEndsAndUtf16AreConverted) {
  const std::string plain = "filepath,caption\na.png,a cat\n\nb.png,a dog";
  std::string windows, mac;
  for (const char c : plain) {
    windows += c == '\n' ? "\r\n"s : std::string(1, c);
    mac += c == '\n' ? '\r' : c;
  }
  for (const std::string& bytes :
       {plain, windows, mac, "\xEF\xBB\xBF" + windows, utf16(windows, true), utf16(plain, false)}) {
    const Source source = read(bytes);
    ASSERT_EQ(source.pairs.size(), 2u);
    EXPECT_EQ(source.pairs[0].image, "a.png");
    EXPECT_THAT(source.pairs[1].captions, ElementsAre("a dog"));
    EXPECT_EQ(source.pairs[1].line, 4);
  }
}

TEST_F(Tsv, OtherColumnNamesAndColumnsThatAreKept) {
  const Source source = read("id,Image,Text,concept,group\n7,a.png,a cat,cats,animals\n");
  EXPECT_EQ(source.pairs[0].image, "a.png");
  EXPECT_THAT(source.pairs[0].captions, ElementsAre("a cat"));
  EXPECT_EQ(source.pairs[0].concept_key, "cats");
  EXPECT_THAT(source.columns, ElementsAre("id", "group"));
  EXPECT_THAT(source.pairs[0].columns, ElementsAre("7", "animals"));
  EXPECT_THAT(read("path\tdescription\na\tb\n").pairs[0].captions, ElementsAre("b"));
  EXPECT_THAT(read("filepath,title,caption\na,b,c\n").pairs[0].captions, ElementsAre("c"));
  EXPECT_THAT(read(",filepath,caption\n0,a,b\n").columns, ElementsAre("column_1"));  // pandas' index
}

TEST_F(Tsv, SeveralCaptionsByColumnsAndByRows) {
  const Source numbered = read("filepath,caption_1,caption_2,caption2x\na.png,one,two,three\n");
  EXPECT_THAT(numbered.pairs[0].captions, ElementsAre("one", "two"));
  EXPECT_THAT(numbered.columns, ElementsAre("caption2x"));
  const Source named = read("filepath,de,en\na.png,Katze,cat\n", {.caption_columns = {"en", "de"}});
  EXPECT_THAT(named.pairs[0].captions, ElementsAre("cat", "Katze"));
  const Source rows = read("filepath,caption,note\na.png,one,x\nb.png,two,y\n./a.png,three,z\n");
  ASSERT_EQ(rows.pairs.size(), 2u);
  EXPECT_THAT(rows.pairs[0].captions, ElementsAre("one", "three"));
  EXPECT_THAT(rows.pairs[0].columns, ElementsAre("x"));
  EXPECT_EQ(rows.rows, 3);
}

TEST_F(Tsv, NamedColumnsAndRoot) {
  const Source source = read(
      "where,what,kind\na.png,a cat,cats\n",
      {.root = "elsewhere", .image_column = "where", .caption_columns = {"what"}, .concept_column = "kind"});
  EXPECT_EQ(source.path_of(source.pairs[0]), "elsewhere/a.png");
  EXPECT_EQ(source.pairs[0].concept_key, "cats");
  EXPECT_TRUE(source.columns.empty());
  EXPECT_EQ(source.path_of({.image = "/abs/a.png"}), "/abs/a.png");
}

TEST_F(Tsv, AnyScriptAndAnyLength) {
  const std::string longest(5000, 'x');
  const Source source =
      read("filepath,caption\na.png,猫が寝ている\nb.png,قطة\nc.png,Кошка\nd.png," + longest + "\n");
  EXPECT_THAT(source.pairs[0].captions, ElementsAre("猫が寝ている"));
  EXPECT_THAT(source.pairs[3].captions, ElementsAre(longest));
}

TEST_F(Tsv, PicturesAlone) {
  const Source source = read("filepath\na.png\nb, c.png\n", {}, false);
  ASSERT_EQ(source.pairs.size(), 2u);
  EXPECT_EQ(source.pairs[1].image, "b, c.png");
  EXPECT_TRUE(source.pairs[0].captions.empty());
}

TEST_F(Tsv, IdsFollowPicturesAndConcepts) {
  const Source source = read("filepath,caption,concept\na,x,k\nb,x,k\nc,x,\n");
  EXPECT_NE(source.image_id(0), source.image_id(1));
  EXPECT_EQ(source.concept_id(0), source.concept_id(1));
  EXPECT_EQ(source.concept_id(2), source.image_id(2));
  const Source part = source.subset({2, 0}, "part");
  EXPECT_EQ(part.name, "part");
  EXPECT_EQ(part.image_id(0), source.image_id(2));
  EXPECT_EQ(part.pairs[1].image, "a");
}

TEST_F(Tsv, PathsFromWindows) {
  scratch_.write("odd\\name.png", "x");
  const Source source = read("filepath,caption\nb\\a.png,x\nodd\\name.png,y\n");
  EXPECT_EQ(source.pairs[0].image, "b/a.png");
  EXPECT_EQ(source.pairs[1].image, "odd\\name.png");
}

// Counts are exact: the mutations are a function of the seed. What is refused is refused with its line, or has
// no line to name.
TEST_F(Tsv, ChangedBytesAreReadOrRefusedByLine) {
  const std::string manifest =
      "filepath,caption_1,caption_2,concept\n\"a, b.png\",\"she said \"\"hi\"\"\",猫,k\nc.png,x,y,l\n";
  Random random(11);
  int read_well = 0, refused_by_line = 0, refused_as_empty = 0;
  for (int i = 0; i < 400; ++i) {
    std::string mutated = manifest;
    constexpr std::string_view kBytes("\",;\t\n\r\0\xFFxy", 10);
    for (std::uint64_t changes = 1 + random.below(4); changes-- > 0;)
      mutated[random.below(mutated.size())] = kBytes[random.below(kBytes.size())];
    if (i % 4 != 0) mutated.resize(random.below(mutated.size() + 1));
    try {
      EXPECT_FALSE(read(mutated, {}, i % 2 == 0).pairs.empty());
      ++read_well;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::data) << error.what();
      const std::string message = error.what(), file = (scratch_.folder() / "photos.csv").string();
      const bool empty = message.starts_with(file + ": empty file") ||
                         message.starts_with(file + ": no rows below the header");
      ++(empty ? refused_as_empty : refused_by_line);
      if (!empty) {
        EXPECT_THAT(message, ContainsRegex("photos\\.csv:[1-9]:"));
      }
    }
  }
  EXPECT_EQ(read_well, 28);
  EXPECT_EQ(refused_by_line, 312);
  EXPECT_EQ(refused_as_empty, 60);
}

TEST_F(Tsv, WrongNumberOfFields) {
  EXPECT_EQ(refused("filepath,caption,a,b\nx,1,2,3\nx,1,2\n"),
            at(3, "3 fields where the header has 4; a field that holds ',' must stand in quotes"));
  EXPECT_THAT(refused("filepath\tcaption\nx\n"),
              HasSubstr(":2: 1 field where the header has 2; a field that holds a TAB"));
  EXPECT_THAT(refused("filepath,caption\nx,\"a\nb\"\ny,1,2\n"),
              HasSubstr(":4: 3 fields where the header has 2"));
}

TEST_F(Tsv, Quotes) {
  EXPECT_THAT(refused("filepath,caption\na,\"b\nc,d\n"),
              HasSubstr(":2: a quote is opened here and never closed"));
  EXPECT_THAT(refused("filepath,caption\na,\"b\" c\n"), HasSubstr(":2: text stands behind a closing quote"));
  EXPECT_THAT(refused("\"filepath,caption\n"), HasSubstr(":1: a quote is opened here"));
}

TEST_F(Tsv, MissingColumns) {
  EXPECT_THAT(
      refused("filpath,caption\na,b\n"),
      AllOf(HasSubstr(":1: no column for the pictures (filepath, image, file, path); did you mean 'filpath'?"),
            HasSubstr("columns: filpath, caption"), HasSubstr("name another column with image_column")));
  EXPECT_THAT(refused("filepath,words\na,b\n"),
              AllOf(HasSubstr(":1: no column for the captions"), HasSubstr("caption_columns")));
  EXPECT_THAT(refused("filepath,caption\na,b\n", {.image_column = "filpath"}),
              HasSubstr(":1: no column 'filpath'; did you mean 'filepath'? columns: filepath, caption"));
  EXPECT_THAT(refused("filepath,caption\na,b\n", {.caption_columns = {"captoin"}}),
              HasSubstr("did you mean 'caption'?"));
  EXPECT_THAT(refused("filepath,caption\na,b\n", {.concept_column = "kind"}),
              HasSubstr(":1: no column 'kind'"));
  EXPECT_THAT(refused("filepath,caption,caption\na,b,c\n"), HasSubstr(":1: two columns are called 'caption'"));
}

TEST_F(Tsv, TextThatIsNoUtf8) {
  EXPECT_THAT(refused("filepath,caption\na,b\nc,caf\xE9\n"),
              HasSubstr(":3:6: byte 0xE9 is no UTF-8; save the file as UTF-8"));
  EXPECT_THAT(refused("f\0i\0l\0e\0"s), HasSubstr(":1:2: a NUL byte: this is no text, or UTF-16"));
  EXPECT_THAT(refused("filepath,caption\na,b\n\0,c\n"s), HasSubstr(":3:1: a NUL byte"));
}

TEST_F(Tsv, EmptyThings) {
  EXPECT_THAT(refused(""), HasSubstr("photos.csv: empty file"));
  EXPECT_THAT(refused("\n\n"), HasSubstr("photos.csv: empty file"));
  EXPECT_THAT(refused("filepath,caption\n\n"), HasSubstr("photos.csv: no rows below the header"));
  EXPECT_THAT(refused("filepath,caption\n ,b\n"), HasSubstr(":2: 'filepath' is empty"));
  EXPECT_THAT(refused("filepath,caption\na,b\nc, \nd,\n"),
              HasSubstr(":3: 'c' has no caption (nor have 1 more)"));
  // Beside another caption an empty one is left out; without need of captions all stays.
  EXPECT_THAT(read("filepath,caption_1,caption_2\na,,b\n").pairs[0].captions, ElementsAre("b"));
  EXPECT_THAT(read("filepath,caption_1,caption_2\na,,b\n", {}, false).pairs[0].captions, ElementsAre("", "b"));
}

TEST_F(Tsv, RowsThatContradictEachOtherAndAddresses) {
  EXPECT_THAT(refused("filepath,caption,concept\na,x,k\na,y,l\n"),
              HasSubstr(":3: concept 'l', but line 2 gives the same picture 'k'"));
  EXPECT_EQ(read("filepath,caption,concept\na,x,\na,y,l\n").pairs[0].concept_key, "l");
  EXPECT_THAT(refused("filepath,caption\nhttps://x.org/a.png,b\n"),
              HasSubstr(":2: 'https://x.org/a.png' is an address"));
}

TEST_F(Tsv, NoSuchDataOrFormat) {
  EXPECT_THAT(error_of([] { read_source({.data = "none.csv"}); }),
              HasSubstr("none.csv: no such file or folder"));
  EXPECT_THAT(error_of([] { read_source({.data = "none.csv", .format = "tsv"}); }),
              HasSubstr("none.csv: no such file"));
  EXPECT_THAT(error_of([] { read_source({.data = "."s, .format = "tsv"}); }), HasSubstr("is a directory"));
  EXPECT_THAT(error_of([] { read_source({.data = "x", .format = "tvs"}); }, Exit::usage),
              AllOf(HasSubstr("'tvs'; did you mean 'tsv'?"), HasSubstr("image_folder")));
  EXPECT_THAT(error_of([] { read_source({}); }, Exit::usage), HasSubstr("no data given"));
}

TEST_F(Tsv, OtherFilesAreCalledByTheirName) {
  const std::string zeros(32, '\0');
  for (const auto& [content, name] : std::vector<std::pair<std::string, std::string>>{
           {"\x89PNG\r\n\x1A\n" + zeros, "a PNG picture"},
           {"\xFF\xD8\xFF\xE0" + zeros, "a JPEG picture"},
           {"BM" + zeros, "a BMP picture"},
           {"PK\3\4" + zeros, "a ZIP archive"},
           {"\x1F\x8B" + zeros, "a gzip archive"},
           {"PAR1" + zeros, "a Parquet table"},
           {std::string(257, 'x') + "ustar" + zeros, "a tar archive"},
           {"<!doctype html><p>404", "an HTML page"},
           {"\xEF\xBB\xBF [{\"filepath\": 1}]", "JSON"},
           {"{\"images\": []}", "JSON"}})
    EXPECT_THAT(refused(content), HasSubstr(cat("photos.csv: is ", name, ", not a manifest; give a .csv")))
        << name;
  EXPECT_EQ(read("BMI,filepath,caption\n3,a.png,a cat\n").pairs.size(), 1u);
}

// Whatever keeps a manifest from being read, it is the data's fault.
TEST(TsvFile, ThatCannotBeReadIsBadData) {
  if (!std::filesystem::exists("/proc/self/mem")) GTEST_SKIP() << "no file here that fails when read";
  EXPECT_THAT(error_of([] { read_source({.data = "/proc/self/mem", .format = "tsv"}); }),
              HasSubstr("/proc/self/mem: cannot be read"));
}

TEST_F(Tsv, AHundredThousandRows) {
  std::string text = "filepath\tcaption\n";
  for (int i = 0; i < 100'000; ++i) text += cat("pictures/", i / 2, ".jpg\tcaption number ", i, "\n");
  const Source source = read(text);
  ASSERT_EQ(source.pairs.size(), 50'000u);
  EXPECT_EQ(source.rows, 100'000);
  for (std::size_t i = 0; i < source.pairs.size(); ++i) {
    ASSERT_EQ(source.pairs[i].image, cat("pictures/", i, ".jpg"));
    ASSERT_THAT(source.pairs[i].captions,
                ElementsAre(cat("caption number ", 2 * i), cat("caption number ", 2 * i + 1)));
  }
}

TEST(SourceOptions, ComeFromAConfig) {
  Config config = Config::parse(R"(
    train = "photos.csv"
    format = "tsv"
    root = "pictures"
    image_column = "a"
    caption_columns = "b"
    concept_column = ""
    shapes_count = 10
    shapes_seed = 3
  )",
                                "recipe.toml");
  const SourceOptions o = read_source_options(config, "train");
  config.finish();
  EXPECT_EQ(o.data, "photos.csv");
  EXPECT_EQ(o.format, "tsv");
  EXPECT_EQ(o.root, "pictures");
  EXPECT_EQ(o.image_column, "a");
  EXPECT_THAT(o.caption_columns, ElementsAre("b"));
  EXPECT_EQ(o.concept_column, "");
  EXPECT_EQ(o.shapes_count, 10);
  EXPECT_EQ(o.shapes_seed, 3u);
}

}  // namespace
}  // namespace duet
