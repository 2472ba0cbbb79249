#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "core/files.h"
#include "core/random.h"
#include "tests/support/failure.h"
#include "tests/support/quiet.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

std::vector<std::string> captions() {
  return {"a red heart",
          "a green heart",
          "red apple on a table",
          "blue heart, red apple",
          "the sea under a blue sky",
          "ein rotes Herz",
          "ein grüner Apfel auf dem Tisch",
          "das blaue Meer unter blauem Himmel",
          "Straße mit Häusern",
          "赤いハート",
          "緑のりんご",
          "青い空と海",
          "قلب أحمر",
          "تفاحة خضراء",
          "سماء زرقاء",
          "красное сердце",
          "зелёное яблоко",
          "синее небо над морем"};
}

TokenizerOptions options_of(std::string kind) {
  TokenizerOptions options;
  options.kind = std::move(kind);
  options.vocabulary = 420;
  options.character_coverage = 1;
  return options;
}

Tokenizer trained(TokenizerOptions options) {
  const Quiet quiet;
  return Tokenizer::train(captions(), options);
}

class TokenizerOfKind : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerOfKind, testing::Values("unigram", "bpe"),
                         [](const auto& kind) { return kind.param; });

TEST_P(TokenizerOfKind, RoundTripsInFourLanguages) {
  TokenizerOptions options = options_of(GetParam());
  options.lowercase = false;
  const Tokenizer tokenizer = trained(options);
  for (const char* text : {"ein grünes Herz über dem Häuschen", "青いりんごと赤い空", "قلب أخضر تحت السماء",
                           "красное яблоко и синее море", "a red sky"}) {
    const auto ids = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(ids), text);
    for (const std::int64_t id : ids) {
      EXPECT_LT(id, tokenizer.pieces());
      EXPECT_FALSE(tokenizer.is_unknown(id));
    }
  }
}

TEST_P(TokenizerOfKind, LowersCaseAndNormalises) {
  const Tokenizer tokenizer = trained(options_of(GetParam()));
  EXPECT_EQ(tokenizer.encode("A RED  Heart "), tokenizer.encode("a red heart"));
  EXPECT_EQ(tokenizer.encode("КРАСНОЕ"), tokenizer.encode("красное"));
  EXPECT_EQ(tokenizer.encode("ｒｅｄ"), tokenizer.encode("red"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("GRÜNER Apfel")), "grüner apfel");
}

TEST_P(TokenizerOfKind, UnseenCharactersBecomeBytesAndComeBack) {
  const Tokenizer tokenizer = trained(options_of(GetParam()));
  for (const char* text : {"\U0001f47b", "ξ", "a ឋ b", "\x01"}) {
    const auto ids = tokenizer.encode(text);
    EXPECT_TRUE(std::none_of(ids.begin(), ids.end(), [&](auto id) { return tokenizer.is_unknown(id); }));
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a \U0001f47b ξ heart")), "a \U0001f47b ξ heart");
}

TEST_P(TokenizerOfKind, WithoutByteFallbackTheyAreUnknown) {
  TokenizerOptions options = options_of(GetParam());
  options.byte_fallback = false;
  options.vocabulary = 150;
  const Tokenizer tokenizer = trained(options);
  const auto ids = tokenizer.encode("ξ");
  EXPECT_TRUE(std::any_of(ids.begin(), ids.end(), [&](auto id) { return tokenizer.is_unknown(id); }));
}

TEST_P(TokenizerOfKind, NoTextMakesASpecialToken) {
  const Tokenizer tokenizer = trained(options_of(GetParam()));
  for (const char* text :
       {"[MASK]", "[PAD]", "a [CLS] b", "<s>", "</s>", "<unk>", "<pad>", "<0x41>", "▁[MASK]"}) {
    for (const std::int64_t id : tokenizer.encode(text)) {
      EXPECT_GE(id, 0);
      EXPECT_LT(id, tokenizer.pieces()) << text;
    }
  }
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (std::uint64_t length = random.below(30); text.size() < length;)
      text += static_cast<char>(random.below(256));
    for (const std::int64_t id : tokenizer.encode(text)) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, tokenizer.pieces());
    }
  }
  EXPECT_NE(tokenizer.decode(tokenizer.encode("<0x41>")), "A");
}

TEST_P(TokenizerOfKind, TrainingIsAFunctionOfTheSet) {
  const Tokenizer once = trained(options_of(GetParam()));
  EXPECT_EQ(once.serialized(), trained(options_of(GetParam())).serialized());
  auto shuffled = captions();
  Random(5).shuffle(std::span<std::string>(shuffled));
  EXPECT_EQ(Tokenizer::train(shuffled, options_of(GetParam())).serialized(), once.serialized());
  shuffled.insert(shuffled.begin() + 3, {"", "  ", "\n"});
  EXPECT_EQ(Tokenizer::train(shuffled, options_of(GetParam())).serialized(), once.serialized());
}

TEST_P(TokenizerOfKind, TakesWhatTheCaptionsAllow) {
  TokenizerOptions options = options_of(GetParam());
  options.vocabulary = 100'000;
  const Tokenizer tokenizer = trained(options);
  EXPECT_GT(tokenizer.pieces(), 256);
  EXPECT_LT(tokenizer.pieces(), 2000);
  options.vocabulary = 400;
  EXPECT_LE(trained(options).pieces(), 400);
}

TEST_P(TokenizerOfKind, ATooSmallVocabularyNamesTheLeast) {
  TokenizerOptions options = options_of(GetParam());
  options.vocabulary = 100;
  const Failure failure = failure_of([&] { trained(options); });
  EXPECT_EQ(failure.exit, Exit::usage);
  const std::string start =
      "tokenizer.vocabulary: is 100, too few for the single characters and bytes; write at least ";
  ASSERT_EQ(failure.text.find(start), 0u) << failure.text;
  options.vocabulary = std::stoll(failure.text.substr(start.size()));
  EXPECT_EQ(trained(options).pieces(), options.vocabulary);
}

TEST_P(TokenizerOfKind, LoadsFromFileAndBytes) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = trained(options_of(GetParam()));
  write_file(folder / "a.model", tokenizer.serialized());
  const Tokenizer loaded = Tokenizer::load(folder / "a.model");
  EXPECT_EQ(loaded.serialized(), tokenizer.serialized());
  EXPECT_EQ(loaded.encode("ein roter Apfel"), tokenizer.encode("ein roter Apfel"));
  EXPECT_EQ(Tokenizer::from_bytes(tokenizer.serialized(), "x").pieces(), tokenizer.pieces());
}

TEST_P(TokenizerOfKind, EncodesFromManyThreads) {
  const Tokenizer tokenizer = trained(options_of(GetParam()));
  std::vector<std::vector<std::int64_t>> expected;
  for (const std::string& caption : captions()) expected.push_back(tokenizer.encode(caption));
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::size_t i = 0;
        for (const std::string& caption : captions()) count += tokenizer.encode(caption) != expected[i++];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Tokenizer, SpecialsLieAboveThePieces) {
  const Tokenizer tokenizer = trained(options_of("unigram"));
  EXPECT_EQ(tokenizer.vocabulary(), tokenizer.pieces() + 6);
  std::set<std::string> names;
  for (const Special special : {kPad, kBos, kEos, kMask, kSep, kCls}) {
    const std::int64_t id = tokenizer.id(special);
    EXPECT_GE(id, tokenizer.pieces());
    EXPECT_TRUE(tokenizer.starts_word(id));
    EXPECT_FALSE(tokenizer.is_unknown(id));
    names.insert(tokenizer.piece(id));
  }
  EXPECT_EQ(names, (std::set<std::string>{"[PAD]", "[BOS]", "[EOS]", "[MASK]", "[SEP]", "[CLS]"}));
  EXPECT_EQ(tokenizer.piece(tokenizer.id(kMask)), "[MASK]");
}

TEST(Tokenizer, DecodeLeavesSpecialsOutAndRefusesOtherNumbers) {
  const Tokenizer tokenizer = trained(options_of("unigram"));
  auto ids = tokenizer.encode("a red heart");
  ids.insert(ids.begin(), tokenizer.id(kCls));
  ids.insert(ids.begin() + 2, tokenizer.id(kMask));
  ids.push_back(tokenizer.id(kPad));
  EXPECT_EQ(tokenizer.decode(ids), "a red heart");
  EXPECT_EQ(tokenizer.decode({}), "");
  for (const std::int64_t wrong : {std::int64_t{-1}, tokenizer.vocabulary(), std::int64_t{1} << 40}) {
    EXPECT_EQ(failure_of([&] { tokenizer.decode(std::vector<std::int64_t>{wrong}); }).exit, Exit::usage);
    EXPECT_EQ(failure_of([&] { tokenizer.piece(wrong); }).exit, Exit::usage);
  }
}

TEST(Tokenizer, KnowsWhereWordsStart) {
  const Tokenizer tokenizer = trained(options_of("bpe"));
  const auto ids = tokenizer.encode("heart apple");
  const auto starts = std::count_if(ids.begin(), ids.end(), [&](auto id) { return tokenizer.starts_word(id); });
  EXPECT_EQ(starts, 2);
  EXPECT_TRUE(tokenizer.starts_word(ids.front()));
}

TEST(Tokenizer, OddTextsEncode) {
  const Tokenizer tokenizer = trained(options_of("unigram"));
  EXPECT_TRUE(tokenizer.encode("").empty());
  EXPECT_TRUE(tokenizer.encode(" \n\t ").empty());
  EXPECT_FALSE(tokenizer.encode(std::string(20'000, 'x')).empty());
  EXPECT_FALSE(tokenizer.encode("a\xff\xfe heart").empty());
  EXPECT_EQ(tokenizer.encode("a\nred\theart"), tokenizer.encode("a red heart"));
}

TEST(Tokenizer, RefusesWhatIsNoModel) {
  const std::string model = trained(options_of("unigram")).serialized();
  for (const std::string& bytes :
       {std::string(), std::string("hello"), std::string(1000, '\0'), model.substr(0, model.size() / 2)}) {
    const Failure failure = failure_of([&] { Tokenizer::from_bytes(bytes, "a.model"); });
    EXPECT_EQ(failure.exit, Exit::artifact);
    EXPECT_EQ(failure.text, "a.model: is damaged or no SentencePiece model; give a .model file");
  }
  EXPECT_EQ(failure_of([] { Tokenizer::load("/nowhere/a.model"); }).exit, Exit::failed);
}

// The highest bit of each offset, in a thousand units of the table of normalisations: SentencePiece would
// follow it out of the table.
TEST(Tokenizer, RefusesADamagedTableOfNormalisations) {
  const std::string model = trained(options_of("unigram")).serialized(), name = "nmt_nfkc_cf";
  const std::size_t length_at =
      model.find(name) + name.size() + 1;  // a byte of field and type, three of length
  ASSERT_EQ(model[length_at - 1], 0x12);
  const std::size_t trie_at = length_at + 3 + 4;
  for (std::size_t unit = 0; unit < 1000; ++unit) {
    std::string damaged = model;
    damaged[trie_at + 4 * unit + 3] ^= 0x40;
    ASSERT_EQ(failure_of([&] { Tokenizer::from_bytes(damaged, "a.model"); }).exit, Exit::artifact) << unit;
  }
}

TEST(Tokenizer, NoCaptionsAreAnErrorOfTheData) {
  EXPECT_EQ(failure_of([] { Tokenizer::train({}, {}); }).exit, Exit::data);
  EXPECT_EQ(failure_of([] { Tokenizer::train({"", " \n"}, {}); }).exit, Exit::data);
}

TEST(Tokenizer, OneCaptionIsEnough) {
  const Quiet quiet;
  const Tokenizer tokenizer = Tokenizer::train({"heart"}, {});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("heart")), "heart");
}

TEST(EncodeCaption, PlacesSpecialsAndCutsBeforeTheLast) {
  const Tokenizer tokenizer = trained(options_of("unigram"));
  const auto plain = tokenizer.encode("the sea under a blue sky");
  ASSERT_GT(plain.size(), 4u);
  const auto encode = [&](TextFormat format) {
    return encode_caption(tokenizer, "the sea under a blue sky", format);
  };
  EXPECT_EQ(encode({.context = 100}), plain);
  const auto framed = encode({.context = 100, .bos = true, .eos = true, .cls = true});
  EXPECT_EQ(framed.size(), plain.size() + 3);
  EXPECT_EQ(framed[0], tokenizer.id(kCls));
  EXPECT_EQ(framed[1], tokenizer.id(kBos));
  EXPECT_EQ(framed.back(), tokenizer.id(kEos));
  const auto cut = encode({.context = 4, .bos = true, .eos = true});
  EXPECT_EQ(cut, (std::vector<std::int64_t>{tokenizer.id(kBos), plain[0], plain[1], tokenizer.id(kEos)}));
  EXPECT_EQ(encode_caption(tokenizer, "", {.context = 8, .eos = true}),
            (std::vector<std::int64_t>{tokenizer.id(kEos)}));
  EXPECT_TRUE(encode_caption(tokenizer, "", {.context = 8}).empty());
}

TEST(TokenizerOptions, AreReadAndChecked) {
  Config config = Config::parse("kind = \"bpe\"\nvocabulary = 900\nlowercase = false\n", "a.toml");
  const TokenizerOptions options = read_tokenizer_options(config);
  config.finish();
  EXPECT_EQ(options.kind, "bpe");
  EXPECT_EQ(options.vocabulary, 900);
  EXPECT_FALSE(options.lowercase);
  EXPECT_TRUE(options.byte_fallback);
  Config wrong = Config::parse("kind = \"unigrams\"", "a.toml");
  EXPECT_EQ(failure_of([&] { read_tokenizer_options(wrong); }).text,
            "a.toml:1:1: 'kind' is 'unigrams', expected one of unigram, bpe; did you mean 'unigram'?");
}

}  // namespace
}  // namespace duet
