// duet evaluate --task: classes told by the features of a small run, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/format.h"
#include "datasets/source.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The first of these words that the caption has.
std::string word_of(const std::string& caption, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (contains(caption, word)) return word;
  }
  return {};
}

const std::vector<std::string> kColours = {"red",  "orange", "yellow", "green",
                                           "cyan", "blue",   "purple", "black"};
const std::vector<std::string> kShapes = {"circle", "square", "triangle", "star", "heart", "cross"};

class EvaluateTask : public testing::Test {
 protected:
  static constexpr int kRows = 160, kTrain = 110;

  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const fs::path manifest = make_pictures(folder_->path(), kRows);
    run_ = *folder_ / "run";
    const Finished train =
        duet_program({"train", make_recipe(folder_->path(), manifest, 40).string(), "--out", run_.string()});
    ASSERT_EQ(train.exit, 0) << train.err;
    write_labels("train.csv", 0, kTrain);
    write_labels("test.csv", kTrain, kRows);
  }
  static void TearDownTestSuite() { delete folder_; }

  // A manifest of some of the pictures: colour, colour and shape, and the caption.
  static void write_labels(const std::string& name, int first, int end) {
    const Source shapes = read_source({.data = "shapes", .format = "shapes", .shapes_count = kRows});
    std::string manifest = "filepath,label,both,text\n";
    for (int row = first; row < end; ++row) {
      const std::string caption = shapes.pairs[static_cast<std::size_t>(row)].captions.front();
      const std::string colour = word_of(caption, kColours);
      manifest += cat("pictures/shape ", row, ".png,", colour, ",", colour, "|", word_of(caption, kShapes),
                      ",\"", caption, "\"\n");
    }
    write_file(*folder_ / name, manifest);
  }

  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  static Finished evaluate(const std::string& task, Arguments arguments) {
    arguments.insert(arguments.begin(), {"evaluate", run_.string(), "--task", task});
    return duet_program(arguments);
  }
  static json scores_of(const std::string& task, Arguments arguments) {
    arguments.insert(arguments.end(), {"--data", path("test.csv"), "--json"});
    const Finished finished = evaluate(task, arguments);
    EXPECT_EQ(finished.exit, 0) << finished.err;
    const json all = json::parse(finished.out, nullptr, false);
    EXPECT_EQ(all["schema_version"], 1);
    return all[task + "/test"];
  }
  static void expect_refused(const Finished& finished, int exit, const std::string& part) {
    EXPECT_EQ(finished.exit, exit) << finished.err;
    EXPECT_TRUE(contains(finished.err, part)) << finished.err;
  }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline fs::path run_;
};

TEST_F(EvaluateTask, ProbesTellColours) {
  for (const std::string task : {"knn", "linear_probe", "ridge"}) {
    const json scores = scores_of(task, {"--train", path("train.csv")});
    EXPECT_EQ(scores["items"], kRows - kTrain);
    EXPECT_EQ(scores["classes"], 8);
    EXPECT_GT(scores["top_1"].get<double>(), .25) << task;  // chance: 1 / 8
    EXPECT_GE(scores["top_5"], scores["top_1"]);
    EXPECT_LE(scores["top_1_interval"][0], scores["top_1"]);
    EXPECT_GE(scores["top_1_interval"][1], scores["top_1"]);
    EXPECT_GT(scores["chosen"]["validation_items"], 10) << scores["chosen"];
    EXPECT_EQ(scores["chosen"]["validation_items"].get<int>() + scores["chosen"]["train_items"].get<int>(),
              kTrain);
    EXPECT_EQ(scores["per_class"].size(), 8u);
  }
  const json saved = json::parse(read_file(run_ / "results.json"));
  for (const char* key : {"knn/test", "linear_probe/test", "ridge/test"})
    EXPECT_TRUE(saved.contains(key)) << key;
}

TEST_F(EvaluateTask, ZeroShotByNamesOfOnesOwn) {
  const json plain = scores_of("zero_shot", {});
  EXPECT_GT(plain["top_1"].get<double>(), .2);
  write_file(*folder_ / "names.txt", "black\tblack\nblue\nred\ncyan\tcyan\ngreen\norange\npurple\nyellow\n");
  const json named = scores_of("zero_shot", {"--labels", path("names.txt"), "--validation", path("train.csv")});
  EXPECT_EQ(named["items"], plain["items"]);
  EXPECT_DOUBLE_EQ(named["top_1"].get<double>(), plain["top_1"].get<double>());  // another order, another scale
  EXPECT_NE(named["chosen"]["scale"], plain["chosen"]["scale"]);
  write_file(*folder_ / "few.txt", "black\nblue\n");
  expect_refused(evaluate("zero_shot", {"--data", path("test.csv"), "--labels", path("few.txt")}), 3,
                 "none of the 2 classes");
}

TEST_F(EvaluateTask, ZeroShotOfPairsHasNoPlaceForNames) {
  const Finished pairs =
      evaluate("zero_shot", {"--data", path("test.csv"), "--texts", "--second-column", "both"});
  expect_refused(pairs, 2, "pairs of texts have no place beside the name of a class");
  EXPECT_FALSE(contains(pairs.err, "labels are taken from")) << "it was read first";
}

// Names and texts through the one tower, by the cosine of its features.
TEST_F(EvaluateTask, ZeroShotOfTextsByATextTowerAlone) {
  std::string documents;
  for (const Pair& pair : read_source({.data = "shapes", .format = "shapes", .shapes_count = kRows}).pairs)
    documents += pair.captions.front() + "\n\n";
  write_file(*folder_ / "documents.txt", documents);
  write_file(*folder_ / "texts.toml",
             cat("[data]\ntrain = \"", path("documents.txt"),
                 "\"\nsplit = 0.2\n[tokenizer]\nvocabulary = 300\n[text]\nkind = \"transformer\"\n"
                 "context = 16\nwidth = 16\nlayers = 1\nheads = 2\n[[objective]]\nkind = \"masked_lm\"\n"
                 "[train]\nbatch = 16\nsteps = 2\nevaluations = 1\n"));
  const std::string texts = path("texts");
  const Finished train = duet_program({"train", path("texts.toml"), "--out", texts});
  ASSERT_EQ(train.exit, 0) << train.err;
  const Finished asked =
      duet_program({"evaluate", texts, "--task", "zero_shot", "--texts", "--data", path("test.csv"), "--json"});
  ASSERT_EQ(asked.exit, 0) << asked.err;
  const json scores = json::parse(asked.out)["zero_shot/test"];
  EXPECT_EQ(scores["items"], kRows - kTrain);
  write_file(*folder_ / "colours.txt", joined(kColours, "\n") + "\n");
  write_file(*folder_ / "red.txt", "red\n");
  const Finished named = duet_program({"classify", texts, "--texts", path("red.txt"), "--labels",
                                       path("colours.txt"), "--json", "--threads", "1"});
  ASSERT_EQ(named.exit, 0) << named.err;
  EXPECT_EQ(json::parse(named.out)["items"][0]["label"], "red");  // a name is nearest to itself
  expect_refused(
      duet_program({"classify", texts, "--images", path("pictures"), "--labels", path("colours.txt")}), 2,
      "has no picture tower");
}

TEST_F(EvaluateTask, ZeroShotReadsValidationOnceAndFirst) {
  const Arguments two = {"--data", "a=" + path("test.csv"), "--data", "b=" + path("test.csv"), "--no-save"};
  Arguments told = two;
  told.insert(told.end(), {"--validation", path("train.csv")});
  const Finished finished = evaluate("zero_shot", told);
  ASSERT_EQ(finished.exit, 0) << finished.err;
  const std::string said = "train.csv: labels are taken from";
  const std::size_t first = finished.err.find(said);
  EXPECT_NE(first, std::string::npos) << finished.err;
  EXPECT_EQ(finished.err.find(said, first + 1), std::string::npos) << finished.err;
}

TEST_F(EvaluateTask, TheBaselineOfNamesAsksNoTower) {
  const auto kept = [] {
    return std::ranges::count_if(fs::directory_iterator(run_ / "cache"), [](const fs::directory_entry& entry) {
      return entry.path().filename().string().starts_with("features-");
    });
  };
  scores_of("zero_shot", {});
  const auto before = kept();
  write_labels("other.csv", 3, kTrain);
  EXPECT_TRUE(
      scores_of("zero_shot", {"--corrupt", "jpeg", "--train", path("other.csv")})["corruption"].contains(
          "mean_corruption_error"));
  EXPECT_EQ(kept(), before);
}

// right by right of the same items: the mean difference is the difference of means.
TEST_F(EvaluateTask, TasksAreComparedOnTheSameItems) {
  const Arguments probe = {"--train", path("train.csv"), "--against-task"};
  Arguments forth = probe, back = probe;
  forth.emplace_back("zero_shot");
  back.emplace_back("ridge");
  const json ours = scores_of("ridge", forth), theirs = scores_of("zero_shot", back);
  const json &against = ours["against"], &turned = theirs["against"];
  EXPECT_EQ(against["task"], "zero_shot");
  EXPECT_EQ(against["run"], run_.string());
  EXPECT_EQ(against["top_1"], theirs["top_1"]);
  EXPECT_EQ(against["top_1_interval"], theirs["top_1_interval"]);
  EXPECT_NEAR(against["difference"].get<double>(), ours["top_1"].get<double>() - theirs["top_1"].get<double>(),
              1e-12);
  EXPECT_LE(against["difference_interval"][0], against["difference"]);
  EXPECT_GE(against["difference_interval"][1], against["difference"]);
  EXPECT_EQ(turned["difference"].get<double>(), -against["difference"].get<double>());
  EXPECT_EQ(turned["p"], against["p"]);
  EXPECT_TRUE(turned["chosen"].contains("alpha")) << turned["chosen"];
  EXPECT_EQ(json::parse(read_file(run_ / "results.json"))["zero_shot/test"]["against"], turned);
  EXPECT_EQ(theirs["classes"], 8);  // those of --train, which a probe tells apart, too
  write_file(*folder_ / "more.txt", "black\nblue\nred\ncyan\ngreen\norange\npurple\nyellow\npink\n");
  back.insert(back.end(), {"--data", path("test.csv"), "--labels", path("more.txt")});
  expect_refused(evaluate("zero_shot", back), 3, "'pink' is in one of them alone");
}

TEST_F(EvaluateTask, RunsAreComparedOnTheSameItems) {
  const fs::path earlier = fs::directory_iterator(run_ / "checkpoints")->path();
  const Finished finished =
      evaluate("zero_shot", {"--data", path("test.csv"), "--against", earlier.string(), "--no-save",
                             "--threads", "1", "--report", path("compared.html")});
  ASSERT_EQ(finished.exit, 0) << finished.err;
  const std::string title = cat("zero_shot of ", run_.string(), " against zero_shot of ", earlier.string());
  EXPECT_TRUE(
      contains(finished.out, cat("\n", title, ", on the same items\nsplit  top-1  against  difference")))
      << finished.out;
  EXPECT_TRUE(contains(read_file(*folder_ / "compared.html"), title));
  fs::copy(run_, *folder_ / "copy", fs::copy_options::recursive);
  expect_refused(evaluate("zero_shot", {"--data", path("test.csv"), "--against", path("copy")}), 2,
                 "is the same model, given the same task");
  EXPECT_EQ(evaluate("zero_shot", {"--data", path("test.csv"), "--against", path("nowhere")}).exit, 4);
}

// Two threads may round otherwise; no answer hangs on that.
TEST_F(EvaluateTask, ScoresAreThoseOfAnyNumberOfThreads) {
  const json one = scores_of("linear_probe", {"--train", path("train.csv"), "--threads", "1"}),
             two = scores_of("linear_probe", {"--train", path("train.csv"), "--threads", "2"});
  EXPECT_EQ(one["per_class"], two["per_class"]);
  EXPECT_EQ(one["top_1_interval"], two["top_1_interval"]);
}

TEST_F(EvaluateTask, SeveralLabelsGiveMeanAveragePrecision) {
  const Arguments several = {"--label-column", "both", "--separator", "|"};
  Arguments probe = several;
  probe.insert(probe.end(), {"--train", path("train.csv")});
  for (const std::string task : {"knn", "linear_probe", "ridge"}) {
    const json scores = scores_of(task, probe);
    EXPECT_EQ(scores["per_class"].size(), 14u);
    EXPECT_GT(scores["mean_average_precision"].get<double>(), .3) << task;
    EXPECT_LE(scores["mean_average_precision_interval"][0], scores["mean_average_precision"]);
  }
  EXPECT_GT(scores_of("zero_shot", several)["mean_average_precision"].get<double>(), .2);
}

TEST_F(EvaluateTask, TextsThroughTheCaptionTower) {
  const json scores =
      scores_of("linear_probe", {"--train", path("train.csv"), "--texts", "--leave-out-shared"});
  EXPECT_LT(scores["chosen"]["train_items"].get<int>() + scores["chosen"]["validation_items"].get<int>(),
            kTrain);
  EXPECT_GT(scores["top_1"].get<double>(), .5);  // the colour's name stands in the text
}

TEST_F(EvaluateTask, ReportShowsClassesConfusionAndMistakes) {
  const Finished finished =
      evaluate("ridge", {"--train", path("train.csv"), "--data", "photos=" + path("test.csv"), "--report",
                         path("page.html"), "--no-save"});
  ASSERT_EQ(finished.exit, 0) << finished.err;
  for (const char* part : {"top-1", "mean per class", "macro-F1", "ECE", "photos"})
    EXPECT_TRUE(contains(finished.out, part)) << finished.out;
  const std::string page = read_file(*folder_ / "page.html");
  for (const char* part : {"Scores on photos", "Classes of photos", "Who is taken for whom: photos",
                           "Surest right answers on photos", "data:image/png;base64,", "told right: "})
    EXPECT_TRUE(contains(page, part)) << part;
}

TEST_F(EvaluateTask, CorruptedPicturesAgainstTheBaseline) {
  const Arguments corrupt = {"--corrupt", "gaussian_noise,contrast", "--train", path("train.csv")};
  Arguments probe = corrupt;
  probe.insert(probe.end(), {"--report", path("corrupted.html")});
  const json scores = scores_of("ridge", probe), corruption = scores["corruption"];
  EXPECT_EQ(corruption["kinds"].size(), 2u);
  EXPECT_NEAR(corruption["clean_top_1"].get<double>(), scores["top_1"].get<double>(), 1e-9);
  double sum = 0, of_baseline = 0;
  for (int i = 0; i < 5; ++i) {
    sum += 1 - corruption["kinds"]["contrast"]["top_1"][i].get<double>();
    of_baseline += 1 - corruption["kinds"]["contrast"]["baseline_top_1"][i].get<double>();
  }
  EXPECT_NEAR(corruption["kinds"]["contrast"]["corruption_error"].get<double>(), sum / of_baseline, 1e-9);
  EXPECT_LT(corruption["kinds"]["contrast"]["top_1"][4], scores["top_1"]);  // of a twentieth little is seen
  EXPECT_EQ(corruption["baseline_chosen"]["validation_items"], scores["chosen"]["validation_items"]);
  EXPECT_LE(corruption["mean_corruption_error_interval"][0], corruption["mean_corruption_error"]);
  EXPECT_GE(corruption["mean_corruption_error_interval"][1], corruption["mean_corruption_error"]);
  EXPECT_EQ(corruption["relative_mean_corruption_error_interval"].is_null(),
            corruption["relative_mean_corruption_error"].is_null());
  EXPECT_EQ(json::parse(read_file(run_ / "results.json"))["ridge/test"]["corruption"], corruption);
  const std::string page = read_file(*folder_ / "corrupted.html");
  for (const char* part : {"A picture of test under each corruption", "test by kind of corruption", "baseline"})
    EXPECT_TRUE(contains(page, part)) << part;
  // Again, by names, against the same baseline.
  const json named = scores_of("zero_shot", corrupt)["corruption"];
  EXPECT_EQ(named["kinds"]["contrast"]["baseline_top_1"], corruption["kinds"]["contrast"]["baseline_top_1"]);
  EXPECT_FALSE(scores_of("zero_shot", {"--corrupt", "jpeg"})["corruption"].contains("mean_corruption_error"));
}

TEST_F(EvaluateTask, CorruptedPicturesAreFoundLess) {
  const Finished finished = duet_program({"evaluate", run_.string(), "--no-save", "--json", "--corrupt",
                                          "impulse_noise", "--data", "all=" + path("photos.csv")});
  ASSERT_EQ(finished.exit, 0) << finished.err;
  const json split = json::parse(finished.out)["all"];
  EXPECT_NEAR(split["corruption"]["clean_recall_at_1"].get<double>(),
              split["text_to_image"]["recall_at_1"].get<double>(), 1e-12);
  EXPECT_LT(split["corruption"]["mean_recall_at_1"], split["corruption"]["clean_recall_at_1"]);
  const Finished printed = duet_program(
      {"evaluate", run_.string(), "--no-save", "--corrupt", "pixelate", "--data", "all=" + path("photos.csv")});
  EXPECT_TRUE(contains(printed.out, "all corrupted: clean ")) << printed.out;
  EXPECT_TRUE(contains(printed.out, "R@1 by strength")) << printed.out;
}

TEST_F(EvaluateTask, LeaksAreRefused) {
  write_labels("leak.csv", kTrain - 2, kRows);
  Arguments leak = {"--train", path("train.csv"), "--data", path("leak.csv"), "--json", "--no-save"};
  const Finished refused = evaluate("ridge", leak);
  expect_refused(refused, 3, "2 of its 110 pictures stand in");
  EXPECT_TRUE(contains(refused.err, cat("train.csv:", kTrain, " = ")) && contains(refused.err, "leak.csv:2"))
      << refused.err;
  expect_refused(evaluate("ridge", {"--train", path("leak.csv"), "--validation", path("train.csv"), "--data",
                                    path("test.csv")}),
                 3, "pictures stand in");
  leak.push_back("--leave-out-shared");
  const Finished left_out = evaluate("ridge", leak);
  ASSERT_EQ(left_out.exit, 0) << left_out.err;
  const json chosen = json::parse(left_out.out)["ridge/leak"]["chosen"];
  EXPECT_EQ(chosen["train_items"].get<int>() + chosen["validation_items"].get<int>(), kTrain - 2);
}

TEST_F(EvaluateTask, OtherMistakesNameThePlace) {
  write_file(*folder_ / "other.csv",
             "filepath,label\npictures/shape 150.png,pink\npictures/shape 151.png,red\n");
  expect_refused(evaluate("ridge", {"--train", path("train.csv"), "--data", path("other.csv")}), 3,
                 "other.csv:2: class 'pink'");
  expect_refused(
      evaluate("ridge", {"--train", path("train.csv"), "--data", path("test.csv"), "--label-column", "kind"}),
      3, "kind");
  expect_refused(evaluate("ridge", {"--train", path("train.csv"), "--data", path("test.csv"),
                                    "--concept-column", "concept"}),
                 3, "no row has a concept");
  expect_refused(evaluate("ridge", {"--train", path("train.csv"), "--data", path("test.csv"), "--report",
                                    path("nowhere/page.html")}),
                 2, "--report");
}

}  // namespace
}  // namespace duet
