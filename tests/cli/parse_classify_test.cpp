#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::HasSubstr;

std::vector<std::string> classify(std::vector<std::string> words) {
  words.insert(words.begin(), {"classify", "runs/x"});
  return words;
}

TEST(ParseClassify, Options) {
  const auto o = parse_to<ClassifyOptions>(classify({"--images",
                                                     "pics",
                                                     "--labels",
                                                     "l.txt",
                                                     "--templates",
                                                     "openai",
                                                     "--top",
                                                     "3",
                                                     "--calibrate",
                                                     "val.csv",
                                                     "--label-column",
                                                     "kind",
                                                     "--json",
                                                     "--out",
                                                     "a.txt",
                                                     "--root",
                                                     "r",
                                                     "--checkpoint",
                                                     "last",
                                                     "--device",
                                                     "cpu",
                                                     "--batch",
                                                     "8",
                                                     "--max-bad-fraction",
                                                     "0.25",
                                                     "--threads",
                                                     "2"}));
  EXPECT_EQ(o.run, "runs/x");
  EXPECT_EQ(o.images, "pics");
  EXPECT_EQ(o.texts, "");
  EXPECT_EQ(o.class_names, "l.txt");
  EXPECT_EQ(o.templates, "openai");
  EXPECT_EQ(o.model, "");
  EXPECT_EQ(o.top, 3);
  EXPECT_EQ(o.calibrate, "val.csv");
  EXPECT_EQ(o.label_column, "kind");
  EXPECT_TRUE(o.json);
  EXPECT_FALSE(o.csv);
  EXPECT_EQ(o.out, "a.txt");
  EXPECT_EQ(o.root, "r");
  EXPECT_EQ(o.checkpoint, "last");
  EXPECT_EQ(o.device, "cpu");
  EXPECT_EQ(o.batch, 8);
  EXPECT_EQ(o.max_bad_fraction, 0.25);
  EXPECT_EQ(o.threads, 2);
}

TEST(ParseClassify, AsksByNamesInNoSentenceOrByAClassifier) {
  const auto plain = parse_to<ClassifyOptions>(classify({"--texts", "-", "--labels", "l.txt"}));
  EXPECT_EQ(plain.texts, "-");
  EXPECT_EQ(plain.templates, "simple");
  EXPECT_EQ(plain.top, 1);
  EXPECT_EQ(plain.checkpoint, "best");
  EXPECT_EQ(parse_to<ClassifyOptions>(classify({"--images", "pics", "--model", "c"})).model, "c");
}

TEST(ParseClassify, TheFilesNameChoosesTheFormUnlessOneIsGiven) {
  const auto with = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"--images", "pics", "--labels", "l.txt"});
    const auto o = parse_to<ClassifyOptions>(classify(words));
    return o.json ? "json" : o.csv ? "csv" : "lines";
  };
  EXPECT_STREQ(with({}), "lines");
  EXPECT_STREQ(with({"--csv"}), "csv");
  EXPECT_STREQ(with({"--out", "a.csv"}), "csv");
  EXPECT_STREQ(with({"--out", "a.json"}), "json");
  EXPECT_STREQ(with({"--out", "a.tsv"}), "lines");
  EXPECT_STREQ(with({"--out", "a.csv", "--json"}), "json");
}

TEST(ParseClassify, RefusesWhatDoesNotGoTogether) {
  const auto expect = [](const std::vector<std::string>& words, const std::string& text) {
    const Parsed parsed = parse_words(classify(words));
    EXPECT_EQ(parsed.exit_code, 2) << text;
    EXPECT_THAT(parsed.err, HasSubstr(text));
  };
  expect({"--labels", "l.txt"}, "give exactly one of --images, --texts");
  expect({"--images", "p", "--texts", "t", "--labels", "l"}, "--images and --texts exclude each other");
  expect({"--images", "p"}, "give exactly one of --labels, --model");
  expect({"--images", "p", "--labels", "l", "--model", "c"}, "--labels and --model exclude each other");
  expect({"--images", "p", "--model", "c", "--templates", "openai"}, "--templates goes with --labels");
  expect({"--images", "p", "--labels", "l", "--label-column", "x"}, "--label-column goes with --calibrate");
  expect({"--texts", "t", "--labels", "l", "--text-column", "x"}, "--text-column goes with --calibrate");
  expect({"--images", "p", "--labels", "l", "--calibrate", "c", "--text-column", "x"},
         "--text-column goes with --texts");
  expect({"--images", "p", "--labels", "l", "--json", "--csv"}, "--json and --csv exclude each other");
  expect({"--images", "p", "--labels", "l", "--top", "0"}, "--top");
}

}  // namespace
}  // namespace duet
