#include "cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/log.h"
#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Parse, Train) {
  const auto o =
      parse_to<TrainOptions>({"train", "a.toml", "--set", "train.lr=1e-4", "--set", "text.kind=bag_of_tokens",
                              "--out", "runs/x", "--root", "pics", "--device", "cpu", "--threads", "2"});
  EXPECT_EQ(o.recipe, "a.toml");
  EXPECT_THAT(o.sets, ElementsAre("train.lr=1e-4", "text.kind=bag_of_tokens"));
  EXPECT_EQ(o.out, "runs/x");
  EXPECT_EQ(o.root, "pics");
  EXPECT_EQ(o.device, "cpu");
  EXPECT_EQ(o.threads, 2);
  EXPECT_EQ(parse_to<TrainOptions>({"train", "--data", "photos.csv"}).data, "photos.csv");
  EXPECT_EQ(parse_to<TrainOptions>({"train", "--resume", "runs/x"}).resume, "runs/x");
  EXPECT_EQ(parse_to<TrainOptions>({"train", "a.toml"}).device, "auto");
}

TEST(Parse, TrainWorksOnExactlyOneThing) {
  EXPECT_EQ(parse_words({"train"}).exit_code, 2);
  EXPECT_EQ(parse_words({"train", "a.toml", "--data", "b.csv"}).exit_code, 2);
  EXPECT_EQ(parse_words({"train", "--resume", "runs/x", "--set", "train.lr=1"}).exit_code, 2);
  EXPECT_EQ(parse_words({"train", "--resume", "runs/x", "--set", "data.tag_subset=0.5"}).exit_code, 2);
  EXPECT_EQ(parse_words({"train", "--resume", "runs/x", "--set", "data.workers=0"}).exit_code, 0);
  EXPECT_EQ(parse_words({"train", "--resume", "runs/x", "--out", "runs/y"}).exit_code, 2);
}

TEST(Parse, ResumedRunMayFindItsDataElsewhere) {
  const auto o = parse_to<TrainOptions>({"train", "--resume", "runs/x", "--set", "data.train=moved.csv"});
  EXPECT_THAT(o.sets, ElementsAre("data.train=moved.csv"));
}

TEST(Parse, Evaluate) {
  const auto o = parse_to<EvaluateOptions>({"evaluate", "--data", "test=a.tsv", "--data", "b.tsv", "runs/x",
                                            "--captions", "label,tags", "--checkpoint", "step-1200", "--json",
                                            "--no-save", "--batch", "64"});
  EXPECT_EQ(o.run, "runs/x");
  EXPECT_THAT(o.data, ElementsAre("test=a.tsv", "b.tsv"));
  EXPECT_THAT(o.captions, ElementsAre("label", "tags"));
  EXPECT_EQ(o.checkpoint, "step-1200");
  EXPECT_TRUE(o.json);
  EXPECT_FALSE(o.save);
  EXPECT_EQ(o.batch, 64);
  const auto plain = parse_to<EvaluateOptions>({"evaluate", "runs/x"});
  EXPECT_TRUE(plain.save);
  EXPECT_FALSE(plain.json);
  EXPECT_EQ(plain.checkpoint, "best");
}

TEST(Parse, IndexAndEmbed) {
  const auto index = parse_to<IndexOptions>(
      {"index", "runs/x", "--images", "pics", "--out", "b", "--factory", "HNSW32", "--root", "r"});
  EXPECT_EQ(index.run, "runs/x");
  EXPECT_EQ(index.images, "pics");
  EXPECT_EQ(index.out, "b");
  EXPECT_EQ(index.factory, "HNSW32");
  const auto embed =
      parse_to<EmbedOptions>({"embed", "runs/x", "--texts", "t.txt", "--out", "t.npy", "--threads", "2"});
  EXPECT_EQ(embed.texts, "t.txt");
  EXPECT_EQ(embed.out, "t.npy");
  EXPECT_EQ(embed.threads, 2);
  EXPECT_EQ(parse_words({"embed", "runs/x", "--texts", "t", "--images", "d", "--out", "t.npy"}).exit_code, 2);
  EXPECT_EQ(parse_words({"embed", "runs/x", "--out", "t.npy"}).exit_code, 2);
  EXPECT_EQ(parse_words({"embed", "runs/x", "--texts", "t", "--out", "t.csv"}).exit_code, 2);
}

TEST(Parse, Search) {
  const auto o = parse_to<SearchOptions>(
      {"search", "a red heart", "-b", "bundle", "-k", "3", "--json", "--html", "p.html"});
  EXPECT_EQ(o.query, "a red heart");
  EXPECT_EQ(o.bundle, "bundle");
  EXPECT_EQ(o.k, 3);
  EXPECT_TRUE(o.json);
  EXPECT_EQ(o.html, "p.html");
  EXPECT_EQ(parse_to<SearchOptions>({"search", "x"}).k, 10);
  EXPECT_EQ(parse_to<SearchOptions>({"search", "--image", "q.png"}).image, "q.png");
  EXPECT_EQ(parse_words({"search", "x", "--image", "q.png"}).exit_code, 2);
  const Parsed latin = parse_words({"search", "caf\xE9"});
  EXPECT_EQ(latin.exit_code, 2);
  EXPECT_THAT(latin.err, HasSubstr("the query is no UTF-8"));
}

TEST(Parse, WordsOfAQueryNeedNoQuotes) {
  EXPECT_EQ(parse_to<SearchOptions>({"search", "a", "red", "heart", "-k", "3"}).query, "a red heart");
  EXPECT_EQ(parse_to<SearchOptions>({"search", "-k", "3", "赤い", "ハート"}).query, "赤い ハート");
}

TEST(Parse, QueryMayBeTheNameOfACommandOrBeginWithADash) {
  for (const char* word : {"train", "index", "man", "help", "data", "tokenizer"}) {
    EXPECT_EQ(parse_to<SearchOptions>({"search", word}).query, word);
  }
  EXPECT_EQ(parse_to<SearchOptions>({"search", "man", "on", "a", "train"}).query, "man on a train");
  EXPECT_EQ(parse_to<SearchOptions>({"search", "--", "-5 degrees"}).query, "-5 degrees");
}

TEST(Parse, SearchRefusesWhatFindsNothing) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"search"},
                                             {"search", ""},
                                             {"search", " \t"},
                                             {"search", "x", "-k", "0"},
                                             {"search", "x", "-k", "-1"},
                                             {"search", "x", "-k", "many"},
                                             {"search", "x", "-k", "99999999999999999999"},
                                             {"search", "x", "-b", ""}}) {
    const Parsed parsed = parse_words(words);
    EXPECT_EQ(parsed.exit_code, 2) << testing::PrintToString(words);
    EXPECT_FALSE(parsed.command);
  }
}

TEST(Parse, CheckAndDataCheck) {
  EXPECT_THAT(parse_to<CheckOptions>({"check", "r.toml", "--set", "a=1"}).sets, ElementsAre("a=1"));
  const auto o = parse_to<DataCheckOptions>(
      {"data", "check", "m.tsv", "--captions", "a", "--captions", "b", "--json", "--threads", "3"});
  EXPECT_EQ(o.manifest, "m.tsv");
  EXPECT_THAT(o.captions, ElementsAre("a", "b"));
  EXPECT_TRUE(o.json);
  EXPECT_EQ(o.threads, 3);
}

TEST(Parse, Tokenizer) {
  const auto train =
      parse_to<TokenizerTrainOptions>({"tokenizer", "train", "-", "--out", "x.model", "--kind", "bpe",
                                       "--vocabulary", "512", "--keep-case", "--no-byte-fallback"});
  EXPECT_EQ(train.texts, "-");
  EXPECT_EQ(train.kind, "bpe");
  EXPECT_EQ(train.vocabulary, 512);
  EXPECT_FALSE(train.lowercase);
  EXPECT_FALSE(train.byte_fallback);
  const auto encode =
      parse_to<TokenizerEncodeOptions>({"tokenizer", "encode", "x.model", "a b", "train", "--pieces"});
  EXPECT_THAT(encode.texts, ElementsAre("a b", "train"));
  EXPECT_TRUE(encode.pieces);
  EXPECT_THAT(parse_to<TokenizerDecodeOptions>({"tokenizer", "decode", "x.model", "5", "17"}).ids,
              ElementsAre(5, 17));
  EXPECT_EQ(parse_words({"tokenizer", "decode", "x.model", "five"}).exit_code, 2);
}

TEST(Parse, OneManifestAFlag) {
  EXPECT_EQ(parse_to<EvaluateOptions>({"evaluate", "--data", "a.tsv", "runs/x"}).run, "runs/x");
  EXPECT_EQ(parse_to<TrainOptions>({"train", "--set", "a=1", "r.toml"}).recipe, "r.toml");
}

TEST(Parse, ValuesMayFollowAnEqualsSign) {
  EXPECT_EQ(parse_to<TrainOptions>({"train", "--data=a=b.csv"}).data, "a=b.csv");
  EXPECT_EQ(parse_to<SearchOptions>({"search", "x", "-k5"}).k, 5);
}

TEST(Parse, QuietAndVerboseStandOnEitherSide) {
  const auto level = [](std::vector<std::string> words) {
    std::vector<char*> argv;
    words.insert(words.begin(), "duet");
    for (std::string& word : words) argv.push_back(word.data());
    int exit_code = 0;
    set_verbosity(Verbosity::normal);
    EXPECT_TRUE(parse(static_cast<int>(argv.size()), argv.data(), exit_code));
    const Verbosity seen = verbosity();
    set_verbosity(Verbosity::normal);
    return seen;
  };
  EXPECT_EQ(level({"-q", "check", "r.toml"}), Verbosity::quiet);
  EXPECT_EQ(level({"check", "r.toml", "--quiet"}), Verbosity::quiet);
  EXPECT_EQ(level({"--verbose", "check", "r.toml"}), Verbosity::verbose);
  EXPECT_EQ(level({"tokenizer", "train", "-v", "a", "--out", "b"}), Verbosity::verbose);
  EXPECT_EQ(level({"check", "r.toml"}), Verbosity::normal);
  EXPECT_EQ(parse_words({"-q", "check", "r.toml", "-v"}).exit_code, 2);
}

TEST(Parse, HelpVersionAndNothingPrintOnStdout) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"--help"},
                                             {"-h"},
                                             {"help"},
                                             {"train", "--help"},
                                             {"help", "train"},
                                             {"tokenizer"},
                                             {"tokenizer", "encode", "-h"},
                                             {"help", "tokenizer", "encode"},
                                             {"--version"},
                                             {"man"},
                                             {"completion", "bash"},
                                             {"search", "--help"}}) {
    const Parsed parsed = parse_words(words);
    EXPECT_EQ(parsed.exit_code, 0) << testing::PrintToString(words);
    EXPECT_FALSE(parsed.command);
    EXPECT_THAT(parsed.out, Not(IsEmpty()));
    EXPECT_THAT(parsed.err, IsEmpty());
  }
  EXPECT_EQ(parse_words({"help", "train"}).out, parse_words({"train", "--help"}).out);
  EXPECT_THAT(parse_words({"--version"}).out, testing::StartsWith("duet 0."));
}

TEST(Parse, ErrorsAreOneLineOnStderr) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"serch"},
                                                                                     {"train", "--recpe", "x"},
                                                                                     {"evaluate"},
                                                                                     {"index", "runs/x"},
                                                                                     {"train", "a", "b"},
                                                                                     {"train", "--out"}}) {
    const Parsed parsed = parse_words(words);
    EXPECT_EQ(parsed.exit_code, 2);
    EXPECT_THAT(parsed.out, IsEmpty());
    EXPECT_EQ(std::count(parsed.err.begin(), parsed.err.end(), '\n'), 1) << parsed.err;
    EXPECT_THAT(parsed.err, testing::StartsWith("error: duet"));
  }
}

}  // namespace
}  // namespace duet
