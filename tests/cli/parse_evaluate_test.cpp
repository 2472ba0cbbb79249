#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(ParseEvaluate, ProbeWithAllItTakes) {
  const auto o = parse_to<EvaluateOptions>(
      {"evaluate",         "runs/x", "--task",     "knn",    "--train",  "train.csv",      "--validation",
       "val.csv",          "--data", "a=test.csv", "--data", "b.csv",    "--label-column", "kind",
       "--concept-column", "thing",  "-k",         "7",      "--report", "page.html"});
  EXPECT_EQ(o.task, "knn");
  EXPECT_EQ(o.train, "train.csv");
  EXPECT_EQ(o.validation, "val.csv");
  EXPECT_EQ(o.data, (std::vector<std::string>{"a=test.csv", "b.csv"}));
  EXPECT_EQ(o.labels.label_column, "kind");
  EXPECT_EQ(o.labels.concept_column, "thing");
  EXPECT_TRUE(o.labels.concept_given);
  EXPECT_EQ(o.k, 7);
  EXPECT_EQ(o.report, "page.html");
  EXPECT_FALSE(o.labels.texts);
  EXPECT_EQ(parse_to<EvaluateOptions>({"evaluate", "runs/x"}).task, "retrieval");
}

TEST(ParseEvaluate, ZeroShotOfTexts) {
  const auto o = parse_to<EvaluateOptions>({"evaluate", "runs/x", "--task", "zero_shot", "--data", "t.tsv",
                                            "--texts", "--text-column", "sentence", "--labels", "names.txt",
                                            "--templates", "openai", "--separator", "|"});
  EXPECT_TRUE(o.labels.texts);
  EXPECT_EQ(o.labels.text_column, "sentence");
  EXPECT_EQ(o.class_names, "names.txt");
  EXPECT_EQ(o.templates, "openai");
  EXPECT_EQ(o.labels.separator, "|");
}

TEST(ParseEvaluate, TowerThatLearns) {
  for (const char* task : {"lora", "fine_tune", "wise_ft"}) {
    const auto o = parse_to<EvaluateOptions>({"evaluate", "runs/x", "--task", task, "--train", "a.csv",
                                              "--data", "b.csv", "--epochs", "7", "--labels", "names.txt",
                                              "--templates", "openai", "--save", "birds", "--corrupt", "jpeg"});
    EXPECT_EQ(o.task, task);
    EXPECT_EQ(o.epochs, 7);
    EXPECT_EQ(o.class_names, "names.txt");
    EXPECT_EQ(o.templates, "openai");
    EXPECT_EQ(o.out, "birds");
    EXPECT_TRUE(o.save);  // results.json is another thing
  }
  const auto against =
      parse_to<EvaluateOptions>({"evaluate", "runs/x", "--task", "ridge", "--train", "a.csv", "--data", "b.csv",
                                 "--against-task", "fine_tune", "--epochs", "2", "--save", "birds"});
  EXPECT_EQ(against.against_task, "fine_tune");
  EXPECT_EQ(against.epochs, 2);
  EXPECT_EQ(against.out, "birds");
  EXPECT_EQ(parse_to<EvaluateOptions>({"evaluate", "runs/x"}).epochs, 0);
}

TEST(ParseEvaluate, CorruptionsInTheirOrder) {
  const auto kinds = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"evaluate", "runs/x"});
    return parse_to<EvaluateOptions>(words).corrupt;
  };
  EXPECT_TRUE(kinds({}).empty());
  EXPECT_EQ(kinds({"--corrupt", "jpeg,pixelate", "--corrupt", "jpeg"}),
            (std::vector<std::string>{"pixelate", "jpeg"}));
  const auto all = kinds({"--corrupt", "all", "--task", "zero_shot", "--data", "a.csv", "--train", "b.csv"});
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(all.front(), "gaussian_noise");
}

TEST(ParseEvaluate, ComparisonsTakeWhatEitherTaskUses) {
  const auto runs = parse_to<EvaluateOptions>({"evaluate", "runs/x", "--task", "zero_shot", "--data", "t.csv",
                                               "--against", "runs/y", "--threads", "3"});
  EXPECT_EQ(runs.against, "runs/y");
  EXPECT_EQ(runs.against_task, "");
  EXPECT_EQ(runs.threads, 3);
  const auto tasks =
      parse_to<EvaluateOptions>({"evaluate", "runs/x", "--task", "zero_shot", "--data", "t.csv", "--train",
                                 "l.csv", "--against-task", "knn", "-k", "5", "--labels", "names.txt"});
  EXPECT_EQ(tasks.against, "");
  EXPECT_EQ(tasks.against_task, "knn");
  EXPECT_EQ(tasks.train, "l.csv");
  EXPECT_EQ(tasks.k, 5);
}

TEST(ParseEvaluate, RefusesWhatATaskDoesNotUse) {
  const auto says = [](std::vector<std::string> words, const char* part) {
    words.insert(words.begin(), {"evaluate", "runs/x"});
    const Parsed parsed = parse_words(words);
    EXPECT_EQ(parsed.exit_code, 2);
    EXPECT_THAT(parsed.err, HasSubstr(part));
  };
  says({"--task", "knn", "--data", "a.csv"}, "--train is missing");
  says({"--task", "zero_shot"}, "--data is missing");
  says(
      {"--task", "zero_shot", "--data", "a.csv", "--train", "b.csv"},
      "--train is not for --task zero_shot; it goes with --task knn|linear_probe|ridge|lora|fine_tune|wise_ft");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "--labels", "c.txt"}, "--labels is not for");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "-k", "3"}, "-k is not for --task ridge");
  says({"--report", "page.html"}, "--report is not for --task retrieval");
  says({"--label-column", "kind"}, "--label-column is not for --task retrieval");
  says({"--texts"}, "--texts is not for --task retrieval");
  says({"--task", "zero_shot", "--data", "a.csv", "--objectives"}, "--objectives is not for");
  says({"--task", "zero_shot", "--data", "a.csv", "--text-column", "t"}, "add --texts");
  says({"--task", "zero_shot", "--data", "a.csv", "--separator", "|", "--validation", "b.csv"},
       "leave out --validation");
  says({"--task", "few_shot", "--data", "a.csv"}, "duet fewshot");
  says({"--task", "fine_tune", "--data", "a.csv"}, "--train is missing");
  says({"--task", "lora", "--data", "a.csv", "--train", "b.csv", "--separator", "|"},
       "--separator is not for --task lora; it goes with --task zero_shot|knn|linear_probe|ridge");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "--epochs", "3"},
       "--epochs is not for --task ridge; it goes with --task lora|fine_tune|wise_ft");
  says({"--task", "fine_tune", "--data", "a.csv", "--train", "b.csv", "--epochs", "0"}, "1 to 1,000 allowed");
  says({"--task", "knn", "--data", "a.csv", "--train", "b.csv", "--save", "c"},
       "--save is not for --task knn; it goes with --task linear_probe|ridge|lora|fine_tune|wise_ft");
  says({"--task", "zero_shot", "--data", "a.csv", "--train", "b.csv", "--save", "c", "--against-task", "ridge"},
       "--save is not for --task zero_shot");
  says({"--save", "c"}, "--save is not for --task retrieval");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "--save", "c", "--separator", "|"},
       "--save: does not go with --separator");
  says({"--task", "guess", "--data", "a.csv"}, "'guess' is none of retrieval, zero_shot");
  says({"--task", "knn", "--data", "a.csv", "--train", "b.csv", "-k", "201"}, "0 to 200 allowed");
  says({"--corrupt", "rain"}, "'rain' is none of all, gaussian_noise, shot_noise");
  says({"--task", "zero_shot", "--data", "a.csv", "--corrupt", "all", "--texts"}, "does not go with --texts");
  says({"--task", "zero_shot", "--data", "a.csv", "--corrupt", "all", "--separator", "|"},
       "does not go with --separator");
  says({"--objectives", "--corrupt", "all"}, "does not go with --objectives");
  says({"--against", "runs/y"}, "--against is not for --task retrieval");
  says({"--task", "zero_shot", "--data", "a.csv", "--against-task", "knn"}, "--train is missing");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "--against-task", "retrieval"},
       "'retrieval' is none of zero_shot, knn, linear_probe, ridge, lora, fine_tune, wise_ft");
  says({"--task", "ridge", "--data", "a.csv", "--train", "b.csv", "--against-task", "linear_probe", "-k", "3"},
       "-k is not for --task ridge or linear_probe");
  says({"--task", "zero_shot", "--data", "a.csv", "--against", "runs/y", "--corrupt", "all"},
       "--against: does not go with --corrupt");
  says({"--task", "zero_shot", "--data", "a.csv", "--against", "runs/y", "--separator", "|"},
       "--against: does not go with --separator");
}

}  // namespace
}  // namespace duet
