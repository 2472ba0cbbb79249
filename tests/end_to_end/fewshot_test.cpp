// duet fewshot as people run it, on drawn shapes whose colour is their class: one table, stopped and gone on
// with, replayed, kept and used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/files.h"
#include "core/format.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class FewShotCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const fs::path manifest = make_pictures(folder_->path(), 320);
    write_labelled(manifest);
    const Finished train = duet_program(
        {"train", make_recipe(folder_->path(), manifest, 150).string(), "--out", (*folder_ / "run").string()});
    ASSERT_EQ(train.exit, 0) << train.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  // name,"a small red circle at the top",red circle -> the colour is the class, colour and shape the concept.
  // The first 80 pictures are those of test.csv.
  static void write_labelled(const fs::path& manifest) {
    std::istringstream lines(read_file(manifest));
    std::string line, header = "filepath,text,label,concept\n", all = header, test = header, rest = header;
    std::getline(lines, line);
    for (int row = 0; std::getline(lines, line); ++row) {
      const std::string thing = line.substr(line.rfind(',') + 1);
      const std::string colour = thing.substr(0, thing.find(' '));
      const std::string labelled = cat(line.substr(0, line.rfind(',')), ",", colour, ",", thing, "\n");
      all += labelled;
      (row < 80 ? test : rest) += labelled;
    }
    write_file(*folder_ / "all.csv", all);
    write_file(*folder_ / "test.csv", test);
    write_file(*folder_ / "rest.csv", rest);
  }
  static Arguments words(Arguments more) {
    Arguments all = {"fewshot", "run", "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static Finished fewshot(Arguments more) { return duet_program(words(std::move(more)), folder_->path()); }
  static std::string text_of(const std::string& file) {
    const fs::path path = *folder_ / file;
    return fs::exists(path) ? read_file(path) : "";
  }
  static std::ptrdiff_t rows(const std::string& file) {
    const std::string text = text_of(file);
    return std::count(text.begin(), text.end(), '\n');
  }
  // Without the times.
  static std::string found(const std::string& file) {
    std::string out;
    std::istringstream lines(text_of(file));
    for (std::string line; std::getline(lines, line);) {
      json row = json::parse(line);
      row.erase("seconds");
      out += row.dump() + "\n";
    }
    return out;
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(FewShotCommand, OneTableOnTheSameSplits) {
  const Arguments asked = {"--data",  "all.csv",  "--methods",  "nearest_centroid,ridge,tip_adapter",
                           "--shots", "1,2",      "--seeds",    "2",
                           "--json",  "--splits", "splits.json"};
  Arguments outs = asked;
  for (const char* word :
       {"--results", "a.jsonl", "--csv", "table.csv", "--latex", "table.tex", "--report", "page.html"})
    outs.emplace_back(word);
  const Finished first = fewshot(outs);
  ASSERT_EQ(first.exit, 0) << first.err;
  EXPECT_EQ(rows("a.jsonl"), 1 + 3 * 2 * 2);
  const json table = json::parse(first.out);
  EXPECT_EQ(table["schema_version"], 1);
  EXPECT_EQ(table["classes"].size(), 8u);
  EXPECT_GE(table["items"], 40);
  ASSERT_EQ(table["methods"].size(), 3u);
  for (const auto& [method, cells] : table["methods"].items()) {
    ASSERT_EQ(cells.size(), 2u) << method;
    for (const json& cell : cells) {
      const double accuracy = cell["accuracy"];
      EXPECT_GT(accuracy, 1.5 / 8) << method;  // colours are easy
      EXPECT_LE(cell["accuracy_interval"][0], accuracy);
      EXPECT_GE(cell["accuracy_interval"][1], accuracy);
    }
  }
  EXPECT_TRUE(table.contains("zero_shot"));
  const std::string page = text_of("page.html");
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("tip_adapter"));
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(text_of("table.csv"), HasSubstr("\nridge,2,2,"));
  EXPECT_THAT(text_of("table.tex"), HasSubstr("\\bottomrule"));

  // All rows are there: the same table, without a fit. Replayed into another file: the same rows.
  EXPECT_EQ(fewshot(outs).out, first.out);
  Arguments replayed = {"--data",   "all.csv",     "--methods", "nearest_centroid,ridge,tip_adapter",
                        "--splits", "splits.json", "--results", "b.jsonl"};
  const Finished again = fewshot(replayed);
  ASSERT_EQ(again.exit, 0) << again.err;
  EXPECT_EQ(found("b.jsonl"), found("a.jsonl"));
  EXPECT_THAT(again.out, HasSubstr("zero_shot"));
  EXPECT_THAT(again.out, HasSubstr("s a fit"));
  std::string splits = text_of("splits.json");
  splits[splits.size() / 2] ^= 1;
  write_file(*folder_ / "changed.json", splits);
  replayed[5] = "changed.json";
  EXPECT_EQ(fewshot(replayed).exit, 4);
}

TEST_F(FewShotCommand, StoppedItGoesOnWithTheSameRows) {
  const auto asked = [](const char* file) {
    return words({"--data", "all.csv", "--methods", "nearest_centroid", "--shots", "1,2", "--seeds", "150",
                  "--results", file});
  };
  ASSERT_EQ(duet_program(asked("whole.jsonl"), folder_->path()).exit, 0);
  for (const auto& [signal, exit] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const std::ptrdiff_t before = rows("stopped.jsonl");
    const pid_t process = start_duet(asked("stopped.jsonl"), folder_->path());
    while (rows("stopped.jsonl") <= before + 1 && !has_ended(process))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    kill(process, signal);
    EXPECT_EQ(wait_for(process), exit);
  }
  EXPECT_LT(rows("stopped.jsonl"), rows("whole.jsonl"));
  ASSERT_EQ(duet_program(asked("stopped.jsonl"), folder_->path()).exit, 0);
  EXPECT_EQ(found("stopped.jsonl"), found("whole.jsonl"));
}

TEST_F(FewShotCommand, WhatIsKeptIsUsed) {
  const Finished kept = fewshot({"--data", "all.csv", "--methods", "ridge", "--shots", "2", "--seeds", "1",
                                 "--no-fallback", "--save", "colours"});
  ASSERT_EQ(kept.exit, 0) << kept.err;
  EXPECT_THAT(kept.err, HasSubstr("duet classify run --model colours"));
  const Finished used = duet_program(
      {"classify", "run", "--model", "colours", "--images", "pictures", "--json"}, folder_->path());
  ASSERT_EQ(used.exit, 0) << used.err;
  EXPECT_THAT(used.out, HasSubstr("shape 7.png"));
  EXPECT_EQ(fewshot({"--data", "all.csv", "--methods", "ridge", "--save", "colours"}).exit,
            2);  // is there already

  const Finished tuned = fewshot({"--data", "all.csv", "--methods", "fine_tune", "--shots", "1", "--seeds", "1",
                                  "--no-fallback", "--save", "tuned"});
  ASSERT_EQ(tuned.exit, 0) << tuned.err;
  EXPECT_TRUE(fs::exists(*folder_ / "tuned/model/model.safetensors"));
  EXPECT_EQ(duet_program({"embed", "tuned", "--images", "pictures", "--out", "rows.npy"}, folder_->path()).exit,
            0);
  EXPECT_EQ(
      duet_program({"classify", "run", "--model", "tuned", "--images", "pictures", "--json"}, folder_->path())
          .exit,
      0);
  // A model of its own now, of which no other classifier was made.
  const Finished refused =
      duet_program({"classify", "tuned", "--model", "colours", "--images", "pictures"}, folder_->path());
  EXPECT_EQ(refused.exit, 2) << refused.err;
}

TEST_F(FewShotCommand, TextsGoTheSameWay) {
  const Finished texts = fewshot({"--data", "all.csv", "--texts", "--text-column", "text", "--methods",
                                  "ridge,nearest_centroid", "--shots", "2", "--seeds", "2", "--json"});
  ASSERT_EQ(texts.exit, 0) << texts.err;
  EXPECT_GT(json::parse(texts.out)["methods"]["ridge"][0]["accuracy"].get<double>(),
            .5);                                         // the word stands there
  EXPECT_FALSE(fs::is_empty(*folder_ / "run/fewshot"));  // its own place for rows
}

TEST_F(FewShotCommand, RefusesBadInput) {
  const auto refused = [](Arguments more, int exit, const std::string& text) {
    const Finished finished = fewshot(std::move(more));
    EXPECT_EQ(finished.exit, exit) << text << "\n" << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(text));
  };
  refused({"--data", "all.csv", "--methods", "tip"}, 2, "'tip' is no method; there are ");
  refused({"--data", "all.csv", "--shots", "500"}, 3, "all classes allow at most ");
  refused({"--data", "all.csv", "--shots", "500", "--leave-out-small"}, 3, "no class is large enough");
  refused({"--data", "all.csv", "--methods", "ridge", "--shots", "1", "--against", "tip_adapter"}, 2,
          "'tip_adapter' is none of the methods of this study");
  refused({"--data", "all.csv", "--test", "test.csv"}, 3, "stand in test.csv too");
  refused({"--data", "all.csv", "--methods", "ridge", "--shots", "1", "--epochs", "9"}, 2,
          "no method of this study trains a tower; leave it out, or name one by --methods: lora, fine_tune, "
          "wise_ft");
  const Arguments shared = {
      "--data",   "all.csv",   "--methods", "ridge",      "--shots",           "4", "--seeds", "1",
      "--splits", "kept.json", "--results", "kept.jsonl", "--validation-share"};
  const auto with = [&shared](const char* share) {
    Arguments all = shared;
    all.emplace_back(share);
    return all;
  };
  ASSERT_EQ(fewshot(with("0.5")).exit, 0);
  EXPECT_EQ(fewshot(with("0.5")).exit, 0);
  refused(with("0.25"), 2, "items to choose on beside 4 shots, not ");
  refused({"--data", "gone.csv"}, 3, "gone.csv");
  refused({"--data", "all.csv", "--csv", "nowhere/table.csv"}, 2, "there is no folder");
  write_file(*folder_ / "templates.txt", "a picture of nothing\n");
  refused({"--data", "all.csv", "--shots", "1", "--templates", "templates.txt"}, 3, "templates.txt:1");
  write_file(*folder_ / "names.txt", "red\nblue\n");
  refused({"--data", "all.csv", "--shots", "1", "--labels", "names.txt"}, 3,
          "names.txt: has no line for class 'black'");
  // Concepts of the test are never drawn: with all of them there, nothing is left.
  refused({"--data", "all.csv", "--test", "test.csv", "--leave-out-shared", "--shots", "1"}, 3, "class");
  // Unless they are no concern.
  const Finished allowed = fewshot({"--data", "rest.csv", "--test", "test.csv", "--concept-column", "",
                                    "--shots", "1", "--seeds", "1", "--methods", "ridge"});
  EXPECT_EQ(allowed.exit, 0) << allowed.err;
}

}  // namespace
}  // namespace duet
