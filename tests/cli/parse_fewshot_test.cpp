#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseFewShot, Defaults) {
  const auto o = parse_to<FewShotOptions>({"fewshot", "runs/x", "--data", "photos"});
  EXPECT_EQ(o.run, "runs/x");
  EXPECT_EQ(o.data, "photos");
  EXPECT_EQ(o.test, "");
  EXPECT_EQ(o.test_share, .25);
  EXPECT_THAT(o.shots, IsEmpty());
  EXPECT_EQ(o.seeds, 0);
  EXPECT_EQ(o.epochs, 0);
  EXPECT_EQ(o.validation_share, 0);
  EXPECT_THAT(o.methods, IsEmpty());
  EXPECT_EQ(o.templates, "simple");
  EXPECT_EQ(o.labels.concept_column, "concept");
  EXPECT_FALSE(o.labels.concept_given);
  EXPECT_TRUE(o.fallback);
  EXPECT_FALSE(o.leave_out_shared || o.leave_out_small || o.json || o.labels.texts);
  EXPECT_EQ(o.against, "");
}

TEST(ParseFewShot, Options) {
  const auto o = parse_to<FewShotOptions>({"fewshot",
                                           "runs/x",
                                           "--data",
                                           "a.csv",
                                           "--test",
                                           "b.csv",
                                           "--label-column",
                                           "group",
                                           "--shots",
                                           "4,1",
                                           "--shots",
                                           "4",
                                           "--seeds",
                                           "3",
                                           "--epochs",
                                           "20",
                                           "--validation-share",
                                           "0.25",
                                           "--methods",
                                           "ridge,tip_adapter",
                                           "--methods",
                                           "coop",
                                           "--labels",
                                           "names.txt",
                                           "--templates",
                                           "openai",
                                           "--results",
                                           "r.jsonl",
                                           "--splits",
                                           "s.json",
                                           "--report",
                                           "p.html",
                                           "--csv",
                                           "t.csv",
                                           "--latex",
                                           "t.tex",
                                           "--json",
                                           "--no-fallback",
                                           "--leave-out-shared",
                                           "--leave-out-small",
                                           "--against",
                                           "ridge",
                                           "--texts",
                                           "--text-column",
                                           "said",
                                           "--checkpoint",
                                           "last",
                                           "--device",
                                           "cpu",
                                           "--threads",
                                           "2",
                                           "--batch",
                                           "8",
                                           "--root",
                                           "pics"});
  EXPECT_EQ(o.test, "b.csv");
  EXPECT_THAT(o.shots, ElementsAre(1, 4));
  EXPECT_EQ(o.seeds, 3);
  EXPECT_EQ(o.epochs, 20);
  EXPECT_EQ(o.validation_share, .25);
  EXPECT_THAT(o.methods, ElementsAre("ridge", "tip_adapter", "coop"));
  EXPECT_EQ(o.class_names, "names.txt");
  EXPECT_EQ(o.templates, "openai");
  EXPECT_EQ(o.results, "r.jsonl");
  EXPECT_EQ(o.splits, "s.json");
  EXPECT_EQ(o.report, "p.html");
  EXPECT_EQ(o.csv, "t.csv");
  EXPECT_EQ(o.latex, "t.tex");
  EXPECT_TRUE(o.json && o.leave_out_shared && o.leave_out_small && o.labels.texts);
  EXPECT_EQ(o.against, "ridge");
  EXPECT_FALSE(o.fallback);
  EXPECT_EQ(o.labels.label_column, "group");
  EXPECT_EQ(o.labels.text_column, "said");
  EXPECT_EQ(o.checkpoint, "last");
  EXPECT_EQ(o.threads, 2);
  EXPECT_EQ(o.batch, 8);
  EXPECT_EQ(o.root, "pics");
  EXPECT_EQ(
      parse_to<FewShotOptions>({"fewshot", "x", "--data", "a", "--methods", "ridge", "--save", "out"}).out,
      "out");
}

TEST(ParseFewShot, ConceptsMayBeNoConcern) {
  EXPECT_EQ(
      parse_to<FewShotOptions>({"fewshot", "x", "--data", "a", "--concept-column", ""}).labels.concept_column,
      "");
}

TEST(ParseFewShot, RefusesWhatHasNoMeaning) {
  const auto refused = [](std::vector<std::string> more, const std::string& words) {
    std::vector<std::string> line = {"fewshot", "runs/x", "--data", "photos"};
    line.insert(line.end(), more.begin(), more.end());
    const Parsed parsed = parse_words(line);
    EXPECT_EQ(parsed.exit_code, 2) << words;
    EXPECT_THAT(parsed.err, HasSubstr(words));
  };
  EXPECT_EQ(parse_words({"fewshot", "runs/x"}).exit_code, 2);
  refused({"--shots", "0"}, "'0' is no number of shots");
  refused({"--shots", "1,two"}, "'two' is no number of shots");
  refused({"--seeds", "0"}, "1 to 1,000");
  refused({"--test-share", "1"}, "above 0 and below 1");
  refused({"--validation-share", "0"}, "above 0 and below 1");
  refused({"--epochs", "0"}, "1 to 1,000");
  refused({"--test", "b.csv", "--test-share", "0.5"}, "exclude each other");
  refused({"--leave-out-shared"}, "needs --test");
  refused({"--separator", ";"}, "one label an item");
  refused({"--save", "out"}, "name it by --methods");
  refused({"--save", "out", "--methods", "ridge,coop"}, "one method");
  refused({"--save", "out", "--methods", "all"}, "one method");
  refused({"--text-column", "said"}, "--texts");
}

}  // namespace
}  // namespace duet
