// duet classify on one run over drawn shapes: pictures and texts, by the names of classes alone.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.h"
#include "core/format.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using nlohmann::json;

const std::vector<std::string> kColours = {"red",  "orange", "yellow", "green",
                                           "cyan", "blue",   "purple", "black"};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string colour_in(const std::string& caption) {
  for (const std::string& colour : kColours)
    if (contains(caption, colour)) return colour;
  return "";
}

class Classify : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    manifest_ = make_pictures(folder_->path(), 240);
    run_ = *folder_ / "run";
    const Finished train =
        duet_program({"train", make_recipe(folder_->path(), manifest_, 200).string(), "--out", run_.string()});
    ASSERT_EQ(train.exit, 0) << train.err;
    labels_ = (*folder_ / "colours.txt").string();
    write_file(labels_, joined(kColours, "\n") + "\n");
    // path,colour of each picture, from its caption
    std::istringstream rows(read_file(manifest_));
    std::string labelled = "filepath,colour\n";
    for (std::string row; std::getline(rows, row);) {
      if (row.starts_with("filepath")) continue;
      const std::string path = row.substr(0, row.find(','));
      colours_[path] = colour_in(row.substr(path.size()));
      labelled += cat(path, ",", colours_[path], "\n");
    }
    write_file(*folder_ / "labelled.csv", labelled);
  }
  static void TearDownTestSuite() { delete folder_; }

  static Finished classify(Arguments arguments) {
    arguments.insert(arguments.begin(), {"classify", run_.string()});
    return duet_program(arguments, folder_->path());
  }
  static json answers(Arguments arguments) {
    arguments.push_back("--json");
    const Finished asked = classify(arguments);
    EXPECT_EQ(asked.exit, 0) << asked.err;
    return json::parse(asked.out, nullptr, false);
  }
  static double share_right(const json& answer) {
    double right = 0;
    for (const json& item : answer["items"]) right += item["label"] == colours_.at(item["path"]);
    return right / static_cast<double>(answer["items"].size());
  }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline fs::path manifest_, run_;
  static inline std::string labels_;
  static inline std::map<std::string, std::string> colours_;
};

TEST_F(Classify, TellsColoursByTheirNamesAlone) {
  const json answer = answers({"--images", "photos.csv", "--labels", labels_, "--top", "100"});
  EXPECT_EQ(answer["schema_version"], 1);
  EXPECT_EQ(answer["classes"], json(kColours));
  ASSERT_EQ(answer["items"].size(), 240u);
  EXPECT_GT(share_right(answer), 0.6);  // chance: 1 in 8
  for (const json& item : answer["items"]) {
    ASSERT_EQ(item["classes"].size(), 8u);
    double sum = 0, before = 1;
    for (const json& one : item["classes"]) {
      const double p = one["probability"];
      EXPECT_LE(p, before);
      sum += before = p;
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_EQ(item["label"], item["classes"][0]["label"]);
    EXPECT_TRUE(fs::exists(item["file"].get<std::string>()));
  }
}

TEST_F(Classify, NamesOfAClassAndSentencesAroundThem) {
  const std::string named = (*folder_ / "named.txt").string(), sentences = (*folder_ / "t.txt").string();
  write_file(named, "R\tred\nB\tblue\nG\tgreen\nK\tblack\nO\torange\tyellow\nC\tcyan\nP\tpurple\n");
  write_file(sentences, "a {} circle\na {} star\na {} heart\n");
  const json answer = answers({"--images", "photos.csv", "--labels", named, "--templates", sentences});
  const std::map<std::string, std::string> letters = {{"red", "R"},   {"blue", "B"},   {"green", "G"},
                                                      {"black", "K"}, {"orange", "O"}, {"yellow", "O"},
                                                      {"cyan", "C"},  {"purple", "P"}};
  double right = 0;
  for (const json& item : answer["items"]) right += item["label"] == letters.at(colours_.at(item["path"]));
  EXPECT_GT(right / 240, 0.6);
}

TEST_F(Classify, ClassVectorsAreKeptInTheRun) {
  const Arguments ask = {"--images", "photos.csv", "--labels", labels_, "--templates", "openai"};
  const json first = answers(ask);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(run_ / "cache"))
    files += contains(entry.path().filename().string(), "classes-");
  EXPECT_GE(files, 1);
  EXPECT_EQ(answers(ask), first);
  // A sealed folder stays as it is.
  const Finished sealed = duet_program(
      {"classify", (run_ / "model").string(), "--images", manifest_.string(), "--labels", labels_, "-v"});
  EXPECT_EQ(sealed.exit, 0) << sealed.err;
  EXPECT_TRUE(contains(sealed.err, "no cache: ")) << sealed.err;
  EXPECT_FALSE(fs::exists(run_ / "model/cache"));
}

TEST_F(Classify, CsvAndLinesSayTheSame) {
  const Finished csv = classify({"--images", "pictures", "--labels", labels_, "--top", "2", "--out", "a.csv"});
  ASSERT_EQ(csv.exit, 0) << csv.err;
  EXPECT_EQ(csv.out, "");
  const Finished lines = classify({"--images", "pictures", "--labels", labels_, "--top", "2"});
  std::istringstream records(read_file(*folder_ / "a.csv")), rows(lines.out);
  std::string record, row;
  std::getline(records, record);
  EXPECT_EQ(record, "path,label,probability,label_2,probability_2\r");
  int count = 0;
  for (; std::getline(records, record); ++count) {
    ASSERT_TRUE(std::getline(rows, row));
    const std::string path = record.substr(0, record.find(',')), rest = record.substr(path.size() + 1);
    EXPECT_TRUE(row.starts_with(cat("pictures/", path, "\t", rest.substr(0, rest.find(',')), "\t"))) << row;
  }
  EXPECT_EQ(count, 240);
  EXPECT_FALSE(std::getline(rows, row));
}

TEST_F(Classify, CalibrationChangesProbabilitiesAndNoLabel) {
  const Arguments ask = {"--images", "photos.csv", "--labels", labels_, "--top", "8"};
  Arguments calibrated = ask;
  calibrated.insert(calibrated.end(), {"--calibrate", "labelled.csv", "--label-column", "colour"});
  const json before = answers(ask), after = answers(calibrated);
  EXPECT_NE(before["scale"], after["scale"]);
  const auto cross_entropy = [](const json& answer) {
    double sum = 0;
    for (const json& item : answer["items"])
      for (const json& one : item["classes"])
        if (one["label"] == colours_.at(item["path"])) sum -= std::log(one["probability"].get<double>() + 1e-6);
    return sum;
  };
  EXPECT_LT(cross_entropy(after), cross_entropy(before));
  for (std::size_t i = 0; i < before["items"].size(); ++i)
    EXPECT_EQ(before["items"][i]["label"], after["items"][i]["label"]);
}

TEST_F(Classify, TextsByTheNameThatIsNearest) {
  write_file(*folder_ / "texts.txt", "a small red circle\n\na big blue star\n");
  const json answer = answers({"--texts", "texts.txt", "--labels", labels_});
  ASSERT_EQ(answer["items"].size(), 3u);
  EXPECT_EQ(answer["items"][0]["text"], "a small red circle");
  EXPECT_EQ(answer["items"][0]["label"], "red");
  EXPECT_TRUE(answer["items"][1]["label"].is_null());
  EXPECT_EQ(answer["items"][1]["error"], "holds no text");
  EXPECT_EQ(answer["items"][2]["label"], "blue");
  const Finished csv = classify({"--texts", "texts.txt", "--labels", labels_, "--csv"});
  EXPECT_TRUE(contains(csv.out, "\r\n,,\r\n")) << csv.out;
  write_file(*folder_ / "blank.txt", "\n\n");
  EXPECT_EQ(classify({"--texts", "blank.txt", "--labels", labels_}).exit, 3);
}

TEST_F(Classify, UnreadablePicturesKeepTheirRows) {
  const fs::path some = *folder_ / "some";
  fs::create_directories(some);
  fs::copy(*folder_ / "pictures/shape 1.png", some / "b.png");
  fs::copy(*folder_ / "pictures/shape 2.png", some / "c.png");
  write_file(some / "a.png", "not a picture");
  const Finished asked = classify({"--images", "some", "--labels", labels_});
  ASSERT_EQ(asked.exit, 0) << asked.err;
  EXPECT_TRUE(asked.out.starts_with("some/a.png\t\t\nsome/b.png\t")) << asked.out;
  EXPECT_TRUE(contains(asked.err, "1 of 3 pictures cannot be read and are without a class:\n  a.png: "))
      << asked.err;
  EXPECT_EQ(classify({"--images", "some", "--labels", labels_, "--max-bad-fraction", "0"}).exit, 3);
}

TEST_F(Classify, ABundleAnswersAsItsRun) {
  const std::string bundle = (*folder_ / "bundle").string();
  ASSERT_EQ(duet_program({"index", run_.string(), "--images", manifest_.string(), "--out", bundle}).exit, 0);
  const Arguments ask = {"--images", manifest_.string(), "--labels", labels_, "--json"};
  Arguments of_bundle = ask;
  of_bundle.insert(of_bundle.begin(), {"classify", bundle});
  const Finished there = duet_program(of_bundle, folder_->path());
  ASSERT_EQ(there.exit, 0) << there.err;
  const json a = answers(ask), b = json::parse(there.out);
  EXPECT_NEAR(a["scale"].get<double>(), b["scale"].get<double>(), 1e-4);
  for (std::size_t i = 0; i < a["items"].size(); ++i) {
    EXPECT_EQ(a["items"][i]["path"], b["items"][i]["path"]);
    EXPECT_NEAR(a["items"][i]["probability"].get<double>(), b["items"][i]["probability"].get<double>(), 1e-3);
  }
  of_bundle.insert(of_bundle.end(), {"--checkpoint", "last"});
  EXPECT_EQ(duet_program(of_bundle, folder_->path()).exit, 2);
}

TEST_F(Classify, WhatIsWrongIsSaidBeforeTheWork) {
  const auto expect = [](const Arguments& arguments, int exit, const std::string& text) {
    const Finished refused = classify(arguments);
    EXPECT_EQ(refused.exit, exit) << refused.err;
    EXPECT_TRUE(contains(refused.err, text)) << refused.err;
  };
  const auto write = [](const char* name, const std::string& content) {
    write_file(*folder_ / name, content);
    return std::string(name);
  };
  const std::string images = "photos.csv";
  expect({"--images", images, "--labels", write("one.txt", "red\n")}, 3, "one.txt: has one class only");
  expect({"--images", images, "--labels", write("two.txt", "red\nblue\nred\n")}, 3, "two.txt:3: class 'red'");
  expect({"--images", images, "--labels", labels_, "--templates", write("bare.txt", "a drawing\n")}, 3,
         "bare.txt:1: 'a drawing' has no {}");
  expect({"--images", images, "--labels", labels_, "--templates", "opnai"}, 2, "did you mean 'openai'?");
  expect({"--images", images, "--labels", write("odd.txt", "red\n\u8d64\u3044\n")}, 0,
         "had a word of 1 of 2 classes: '\u8d64\u3044'");
  expect({"--images", "nowhere", "--labels", labels_}, 3, "nowhere");
  expect({"--images", images, "--labels", labels_, "--out", "no/folder.csv"}, 2, "there is no folder");
  expect({"--images", images, "--labels", labels_, "--out", run_.string() + "/model/a.csv"}, 2, "sealed");
  expect({"--images", images, "--labels", labels_, "--calibrate", "labelled.csv", "--label-column", "color"}, 3,
         "color");
  expect({"--images", images, "--model", run_.string()}, 4, run_.string());
}

}  // namespace
}  // namespace duet
