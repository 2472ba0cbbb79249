// duet evaluate --task fine_tune, lora and wise_ft: a tower that learns from all labels of a manifest, judged,
// compared, kept and used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
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

class EvaluateTuned : public testing::Test {
 protected:
  static constexpr int kRows = 200, kTrain = 140;

  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const fs::path manifest = make_pictures(folder_->path(), kRows);
    write_labelled(manifest);
    const Finished train = duet_program(
        {"train", make_recipe(folder_->path(), manifest, 40).string(), "--out", (*folder_ / "run").string()});
    ASSERT_EQ(train.exit, 0) << train.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  // name,"a small red circle at the top",red circle -> the colour is the class
  static void write_labelled(const fs::path& manifest) {
    std::istringstream lines(read_file(manifest));
    const std::string header = "filepath,text,thing,label\n";
    std::string line, train = header, test = header;
    std::getline(lines, line);
    for (int row = 0; std::getline(lines, line); ++row) {
      const std::string thing = line.substr(line.rfind(',') + 1), colour = thing.substr(0, thing.find(' '));
      (row < kTrain ? train : test) += cat(line, ",", colour, "\n");
      colours_[line.substr(0, line.find(','))] = colour;
    }
    write_file(*folder_ / "train.csv", train);
    write_file(*folder_ / "test.csv", test);
  }

  static Arguments words(const std::string& task, const Arguments& more) {
    Arguments all = {"evaluate",  "run",    "--task",   task,        "--train",
                     "train.csv", "--data", "test.csv", "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static Finished evaluate(const std::string& task, const Arguments& more) {
    return duet_program(words(task, more), folder_->path());
  }
  static json scores_of(const std::string& task, Arguments more) {
    more.emplace_back("--json");
    const Finished finished = evaluate(task, more);
    EXPECT_EQ(finished.exit, 0) << finished.err;
    return json::parse(finished.out, nullptr, false)[task + "/test"];
  }
  // What duet classify with `kept` says of the test's items has the scores that duet evaluate gave: as many
  // right, and as sure (calibration error, in 15 bins).
  static void expect_used(const std::string& kept, const json& scores) {
    const Finished asked =
        duet_program({"classify", "run", "--model", kept, "--images", "test.csv", "--json", "--threads", "1"},
                     folder_->path());
    ASSERT_EQ(asked.exit, 0) << asked.err;
    const json items = json::parse(asked.out, nullptr, false)["items"];
    ASSERT_EQ(items.size(), scores["items"]);
    double right = 0, error = 0;
    std::array<double, 15> surplus{};
    for (const json& item : items) {
      const double is_right = item["label"] == colours_.at(item["path"]), sure = item["probability"];
      right += is_right;
      surplus.at(static_cast<std::size_t>(std::ceil(sure * 15) - 1)) += is_right - sure;
    }
    for (const double sum : surplus) error += std::abs(sum);
    const auto count = static_cast<double>(items.size());
    EXPECT_DOUBLE_EQ(right / count, scores["top_1"].get<double>()) << kept;
    EXPECT_NEAR(error / count, scores["calibration_error"].get<double>(), 1e-4) << kept;
  }
  static bool is_there(const std::string& file) { return fs::exists(*folder_ / file); }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline std::map<std::string, std::string> colours_;
};

TEST_F(EvaluateTuned, AllLabelsAreLearnedKeptAndUsed) {
  const json scores = scores_of("fine_tune", {"--epochs", "40", "--save", "tuned/"});
  EXPECT_EQ(scores["items"], kRows - kTrain);
  EXPECT_EQ(scores["classes"], 8);
  EXPECT_GT(scores["top_1"].get<double>(), .25);  // chance: 1 / 8
  const json& chosen = scores["chosen"];
  const int learned = chosen["train_items"], held_out = chosen["validation_items"];
  EXPECT_EQ(learned + held_out, kTrain);
  EXPECT_EQ(chosen["steps"], 40 * ((learned + 31) / 32));
  EXPECT_GT(chosen["scale"].get<double>(), 0);
  EXPECT_TRUE(json::parse(read_file(*folder_ / "run/results.json")).contains("fine_tune/test"));
  expect_used("tuned", scores);
  const Finished embedded =
      duet_program({"embed", "tuned", "--images", "pictures", "--out", "rows.npy"}, folder_->path());
  EXPECT_EQ(embedded.exit, 0) << embedded.err;
  const Finished again = evaluate("ridge", {"--save", "tuned"});
  EXPECT_EQ(again.exit, 2);
  EXPECT_THAT(again.err,
              testing::AllOf(HasSubstr("tuned/classifier is there already"), Not(HasSubstr("labels"))));
}

TEST_F(EvaluateTuned, APlaceThatTakesNothingIsRefusedBeforeTheWork) {
  write_file(*folder_ / "file", "");
  for (const auto& [place, why] : {std::pair{"file", "file is a file"}, {"none/tuned", "there is no folder"}}) {
    const Finished refused = evaluate("fine_tune", {"--save", place});
    EXPECT_EQ(refused.exit, 2);
    EXPECT_THAT(refused.err, testing::AllOf(HasSubstr(why), Not(HasSubstr("labels"))));
  }
}

TEST_F(EvaluateTuned, ProbesAreKeptToo) {
  for (const std::string task : {"linear_probe", "ridge"}) {
    const json scores = scores_of(task, {"--save", task, "--no-save"});
    expect_used(task, scores);
    EXPECT_FALSE(is_there(task + "/model")) << task;  // it is the run's
  }
}

TEST_F(EvaluateTuned, ComparedWithAProbeAndWithEachOther) {
  const json scores = scores_of("lora", {"--epochs", "2", "--against-task", "linear_probe", "--no-save"});
  const json probe = scores_of("linear_probe", {"--no-save"});
  EXPECT_EQ(scores["against"]["task"], "linear_probe");
  EXPECT_EQ(scores["against"]["top_1"], probe["top_1"]);
  EXPECT_NEAR(scores["against"]["difference"].get<double>(),
              scores["top_1"].get<double>() - probe["top_1"].get<double>(), 1e-12);
  EXPECT_EQ(scores["chosen"]["train_items"], probe["chosen"]["train_items"]);  // the same part held out
  const json blended = scores_of("wise_ft", {"--epochs", "2", "--against-task", "fine_tune", "--no-save"});
  EXPECT_GE(blended["chosen"]["alpha"], 0);
  EXPECT_LE(blended["chosen"]["alpha"], 1);
  EXPECT_EQ(blended["chosen"]["lr"].get<double>() > 0, true);
  EXPECT_EQ(blended["against"]["chosen"]["steps"], blended["chosen"]["steps"]);
  const json by_names = scores_of("wise_ft", {"--epochs", "2", "--against-task", "zero_shot", "--no-save"});
  EXPECT_EQ(by_names["top_1"], blended["top_1"]);  // the same training again
}

TEST_F(EvaluateTuned, CorruptedPicturesGoThroughTheTrainedTower) {
  const json scores = scores_of("fine_tune", {"--epochs", "3", "--corrupt", "contrast", "--no-save"});
  const json& corruption = scores["corruption"];
  EXPECT_DOUBLE_EQ(corruption["clean_top_1"].get<double>(), scores["top_1"].get<double>());
  EXPECT_LT(corruption["kinds"]["contrast"]["top_1"][4], scores["top_1"]);  // of a twentieth little is seen
  EXPECT_TRUE(corruption.contains("mean_corruption_error"));
}

TEST_F(EvaluateTuned, TextsAndPairsOfTexts) {
  const json texts = scores_of(
      "fine_tune", {"--texts", "--text-column", "text", "--epochs", "3", "--leave-out-shared", "--no-save"});
  EXPECT_GT(texts["top_1"].get<double>(), .5);  // the colour's name stands in the text
  const Arguments pairs = {"--texts", "--text-column",      "text",     "--second-column", "thing", "--epochs",
                           "1",       "--leave-out-shared", "--no-save"};
  Arguments named = pairs;
  EXPECT_GT(scores_of("fine_tune", pairs)["top_1"].get<double>(), .25);
  write_file(*folder_ / "names.txt", "red\nblue\n");
  named.insert(named.end(), {"--labels", "names.txt"});
  const Finished refused = evaluate("fine_tune", named);
  EXPECT_EQ(refused.exit, 2);
  EXPECT_THAT(refused.err, HasSubstr("--labels: pairs of texts have no place beside the name of a class"));
  const Finished none = evaluate("lora", {"--texts", "--text-column", "text", "--leave-out-shared"});
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, HasSubstr("has no linear map"));
}

TEST_F(EvaluateTuned, NamesOfOnesOwnAreThoseOfAllClasses) {
  write_file(*folder_ / "few.txt", "red\nblue\n");
  const Finished few = evaluate("fine_tune", {"--labels", "few.txt"});
  EXPECT_EQ(few.exit, 3);
  EXPECT_THAT(few.err, HasSubstr("few.txt: has no line for class 'black'"));
}

TEST_F(EvaluateTuned, StoppedItLeavesNothing) {
  fs::remove_all(*folder_ / "run/cache");
  fs::remove(*folder_ / "run/results.json");
  for (const auto& [signal, exit] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const pid_t process =
        start_duet(words("fine_tune", {"--epochs", "1000", "--save", "stopped"}), folder_->path());
    const auto has_begun = [] {
      std::error_code none;
      return std::ranges::any_of(fs::directory_iterator(*folder_ / "run/cache", none),
                                 [](const fs::directory_entry& entry) {
                                   return entry.path().filename().string().starts_with("classes-");
                                 });
    };
    while (!has_begun() && !has_ended(process)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    kill(process, signal);
    EXPECT_EQ(wait_for(process), exit);
    EXPECT_FALSE(is_there("stopped"));
    EXPECT_FALSE(is_there("run/results.json"));
    fs::remove_all(*folder_ / "run/cache");
  }
}

}  // namespace
}  // namespace duet
