#include "datasets/captions.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "core/format.h"
#include "scratch.h"
#include "tests/support/quiet.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

std::map<std::string, int> draws(const std::vector<std::string>& captions, const CaptionOptions& options,
                                 int count) {
  std::map<std::string, int> seen;
  for (int seed = 0; seed < count; ++seed) {
    Random random(seed_of(1, "caption", seed));
    ++seen[draw_caption(captions, options, random)];
  }
  return seen;
}

TEST(Captions, EachIsAsLikely) {
  const auto seen = draws({"a", "b: c, d", "e"}, {}, 3000);
  ASSERT_EQ(seen.size(), 3U);
  for (const auto& [caption, count] : seen) EXPECT_NEAR(count, 1000, 100) << caption;
}

TEST(Captions, SubsetsOfTagsKeepTheLabel) {
  const auto seen = draws({"cat: a, b, c"}, {.tag_subset = 1}, 6000);
  // One tag: 3 texts; two in either order: 6; three: 6. Each size is as likely.
  ASSERT_EQ(seen.size(), 15U);
  std::map<std::size_t, int> by_size;
  for (const auto& [caption, count] : seen) {
    ASSERT_TRUE(caption.starts_with("cat: ")) << caption;
    const auto tags = static_cast<std::size_t>(std::count(caption.begin(), caption.end(), ',')) + 1;
    std::set<char> letters;
    for (const char letter : caption.substr(5))
      if (letter >= 'a' && letter <= 'c') letters.insert(letter);
    EXPECT_EQ(letters.size(), tags) << caption;
    by_size[tags] += count;
  }
  for (const auto& [size, count] : by_size) EXPECT_NEAR(count, 2000, 180) << size;
}

TEST(Captions, ListsWithoutALabelAndOtherSeparators) {
  EXPECT_EQ(draws({" red ,blue"}, {.tag_subset = 1}, 400).size(), 4U);  // red; blue; red, blue; blue, red
  const auto seen = draws({"x;y"}, {.tag_subset = 1, .separator = ";"}, 400);
  EXPECT_TRUE(seen.contains("y; x"));
  EXPECT_TRUE(seen.contains("x"));
}

TEST(Captions, WhatHasNoTagsStays) {
  for (const std::string caption : {"a red heart", "flag: Germany", "", "label:", "日本語", "odd, ", ":"})
    EXPECT_THAT(draws({caption}, {.tag_subset = 1}, 50), ElementsAre(std::pair(caption, 50))) << caption;
}

TEST(Captions, SubsetsWithTheirProbability) {
  const std::string whole = "cat: a, b, c";
  EXPECT_EQ(draws({whole}, {}, 100).at(whole), 100);
  // A third of the subsets hold all three tags, a sixth of these in the given order.
  EXPECT_NEAR(draws({whole}, {.tag_subset = 0.5}, 4000).at(whole), 2000 + 2000 / 18, 150);
}

TEST(Captions, ReadsItsKeys) {
  Config config = Config::parse("tag_subset = 0.5\ntag_separator = \";\"", "recipe.toml");
  EXPECT_EQ(read_caption_options(config), (CaptionOptions{.tag_subset = 0.5, .separator = ";"}));
  config.finish();
  Config empty = Config::parse("tag_separator = \"\"", "recipe.toml");
  EXPECT_THAT(error_of([&] { read_caption_options(empty); }, Exit::usage), HasSubstr("tag_separator"));
}

TEST(Captions, PaddedToAMultipleOfEight) {
  const auto [tokens, valid] = padded({{1, 2, 3}, {4, 5, 6, 7, 8, 9, 10, 11, 12}, {}}, 99, 32, false);
  EXPECT_EQ(tokens.sizes(), (std::vector<std::int64_t>{3, 16}));
  EXPECT_EQ(valid.sizes(), tokens.sizes());
  for (std::int64_t row = 0; row < 3; ++row) {
    const std::int64_t length = row == 0 ? 3 : row == 1 ? 9 : 0;
    for (std::int64_t i = 0; i < 16; ++i) {
      EXPECT_EQ(valid[row][i].item<bool>(), i < length);
      EXPECT_EQ(tokens[row][i].item<std::int64_t>(), i >= length ? 99 : row == 0 ? i + 1 : i + 4);
    }
  }
}

TEST(Captions, PaddedLengths) {
  const auto length = [](std::size_t longest, std::int64_t context, bool whole) {
    return padded({std::vector<std::int64_t>(longest, 1)}, 0, context, whole).first.size(1);
  };
  EXPECT_EQ(length(8, 32, false), 8);
  EXPECT_EQ(length(9, 32, false), 16);
  EXPECT_EQ(length(9, 12, false), 12);
  EXPECT_EQ(length(0, 32, false), 8);
  EXPECT_EQ(length(3, 32, true), 32);
  EXPECT_EQ(padded({}, 0, 32, false).first.size(0), 0);
  EXPECT_THROW(length(13, 12, false), c10::Error);
}

TEST(Captions, EncodedAsOneByOne) {
  const Quiet quiet;
  const std::vector<std::string> captions = {"a red heart", "a blue heart with an arrow through it", "日本",
                                             ""};
  const Tokenizer tokenizer = Tokenizer::train(captions, {.vocabulary = 300, .model = {}});
  for (const bool pad_to_context : {false, true}) {
    const TextFormat format{.context = 12, .bos = true, .eos = true};
    const auto [tokens, valid] = encode_captions(tokenizer, captions, format, pad_to_context);
    ASSERT_EQ(tokens.size(0), 4);
    ASSERT_EQ(tokens.size(1), 12);
    for (std::size_t row = 0; row < captions.size(); ++row) {
      std::vector<std::int64_t> ids = encode_caption(tokenizer, captions[row], format);
      const auto at = static_cast<std::int64_t>(row), length = static_cast<std::int64_t>(ids.size());
      EXPECT_EQ(valid[at].sum().item<std::int64_t>(), length);
      ids.resize(12, tokenizer.id(kPad));
      for (std::int64_t i = 0; i < 12; ++i)
        EXPECT_EQ(tokens[at][i].item<std::int64_t>(), ids[static_cast<std::size_t>(i)]);
    }
  }
}

}  // namespace
}  // namespace duet
