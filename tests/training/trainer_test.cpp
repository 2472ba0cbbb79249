#include "training/trainer.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "run/saved_model.h"
#include "tensors/device.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/small_run.h"
#include "training/finish.h"
#include "training/metrics_log.h"

namespace duet {
namespace {

constexpr const char* kSelfSupervised =
    "objective=[{kind='info_nce'}, {kind='simclr'}, {kind='rotation', all_turns=false}, {kind='jigsaw'}, "
    "{kind='inpainting'}, {kind='autoencoder', variational=true}, {kind='masked_lm'}, "
    "{kind='autoregressive_lm'}]";

// Teachers, twins, queues and centres; judged on held-out pairs on the way, which may move none of them.
constexpr const char* kTaught =
    "objective=[{kind='info_nce'}, {kind='moco', queue=64}, {kind='byol'}, "
    "{kind='self_distillation', prototypes=32, momentum=0.9}]";
constexpr const char* kTaughtPatches = "objective=[{kind='info_nce'}, {kind='masked_feature', prototypes=32}]";

constexpr const char* kTold =
    "objective=[{kind='captioning', parallel=0.5}, {kind='image_text_matching'}, {kind='denoising'}, "
    "{kind='masked_patch'}, {kind='word2vec'}, {kind='glove'}]";

class TrainerTest : public testing::TestWithParam<std::vector<std::string>> {};

// From every checkpoint of a run, going on gives the bytes of the run that never stopped.
TEST_P(TrainerTest, ResumeEqualsAnUninterruptedRun) {
  TemporaryFolder folder;
  std::vector<std::string> sets = GetParam();
  sets.insert(sets.end(), {"train.evaluations=4", "train.keep=4"});
  const Recipe recipe = recipe_with(sets);
  SmallRun whole(recipe, folder / "whole");
  ASSERT_EQ(whole.trainer->run(), Outcome::finished);
  ASSERT_EQ(checkpoint_steps(folder / "whole"), (std::vector<std::int64_t>{3, 6, 9, 12}));
  for (const std::int64_t step : {3, 6, 9}) {
    const fs::path copy = folder / ("from " + std::to_string(step));
    fs::copy(folder / "whole", copy, fs::copy_options::recursive);
    fs::remove_all(copy / "model");
    for (const std::int64_t later : {3, 6, 9, 12}) {
      if (later > step) fs::remove_all(checkpoint_folder(copy, later));
    }
    SmallRun resumed(recipe, copy);
    resumed.trainer->load(open_checkpoint(copy, step));
    ASSERT_EQ(resumed.trainer->run(), Outcome::finished);
    expect_equal_runs(folder / "whole", copy);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, TrainerTest,
    testing::Values(std::vector<std::string>{}, std::vector<std::string>{"data.split=0.2"},
                    std::vector<std::string>{"train.micro_batch=4", "image.norm=group"},
                    std::vector<std::string>{"text.kind=transformer", "text.width=16", "text.layers=1",
                                             "text.heads=2", "text.dropout=0.1"},
                    std::vector<std::string>{"text.kind=transformer", "text.width=16", "text.layers=1",
                                             "text.heads=2", "views.simclr.count=2", kSelfSupervised},
                    std::vector<std::string>{"data.split=0.2", "views.moco.count=2", "views.byol.count=2",
                                             "views.global.count=2", "views.local.count=2",
                                             "views.local.size=16", kTaught},
                    std::vector<std::string>{
                        "data.split=0.2", "image={kind='vit', size=24, patch=8, width=16, heads=2, layers=1}",
                        kTaughtPatches},
                    std::vector<std::string>{"text.kind=transformer", "text.width=16", "text.layers=1",
                                             "text.heads=2", kTold}));

// Every bit of the logs may be wrong: a run is resumed, ends with the same weights, and has a report.
TEST(Trainer, DamagedLogsDoNotHoldARunHostage) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({"data.split=0.2", "train.keep=9"});
  SmallRun whole(recipe, folder / "whole");
  ASSERT_EQ(whole.trainer->run(), Outcome::finished);
  const std::string log = read_file(folder / "whole/metrics.jsonl");
  for (std::size_t at = 0; at < log.size(); at += log.size() / 6) {
    const fs::path copy = folder / ("flipped " + std::to_string(at));
    fs::copy(folder / "whole", copy, fs::copy_options::recursive);
    fs::remove_all(copy / "model");
    std::string flipped = log;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 7)));
    write_file(copy / "metrics.jsonl", flipped);
    SmallRun resumed(recipe, copy);
    resumed.trainer->load(open_checkpoint(copy, 12));
    ASSERT_EQ(resumed.trainer->run(), Outcome::finished) << at;
    EXPECT_EQ(bytes_of(copy / "model/model.safetensors"), bytes_of(folder / "whole/model/model.safetensors"));
  }
}

// Where the data is, is no part of a run: resumed from another place once, it goes on from the first one, too.
TEST(Trainer, ResumedFromMovedDataItKeepsItsRecipe) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({"train.keep=9"});
  SmallRun first(recipe, folder / "run");
  ASSERT_EQ(first.trainer->run(), Outcome::finished);
  fs::remove_all(checkpoint_folder(folder / "run", 12));
  fs::remove_all(folder / "run/model");
  SmallRun moved(recipe_with({"train.keep=9", "data.train=shapes:64:1", "data.cache=none"}), folder / "run");
  moved.trainer->load(open_checkpoint(folder / "run", 6));
  ASSERT_EQ(moved.trainer->run(), Outcome::finished);
  for (const fs::path& saved : {checkpoint_folder(folder / "run", 12), folder / "run/model"})
    EXPECT_EQ(bytes_of(saved / "recipe.toml"), recipe.toml) << saved;
}

// Validation data chooses the best checkpoint: other data there would compare what cannot be compared.
TEST(Trainer, OtherDataIsNoticedOnResume) {
  TemporaryFolder folder;
  SmallRun run(recipe_with({"data.split=0.2"}), folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  TrainingData trained = run.data, chosen = run.data;
  trained.train.pairs.front().captions.front() += "s";
  chosen.validation.front().pairs.pop_back();
  for (const TrainingData& changed : {trained, chosen}) {
    Trainer other(run.recipe, changed, run.tokenizer, folder / "run", torch::kCPU, 1);
    try {
      other.load(open_checkpoint(folder / "run", 12));
      ADD_FAILURE() << "resumed on other data";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::data) << error.what();
    }
  }
}

// The report's table is the finished model's, whose ridge space was solved after the last evaluation.
TEST(Trainer, ReportShowsTheFinishedModelBothWays) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({"data.split=0.4"}, (std::string(kShapes) + R"(
[[space]]
name = "parts"
kind = "ridge"
)")
                                                            .c_str());
  SmallRun run(recipe, folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  const RetrievalResult result = evaluate_retrieval(embed_setting_of(saved), run.data.validation.front());
  const std::string page = read_file(folder / "run/report.html");
  EXPECT_NE(page.find("The finished model on validation data"), std::string::npos);
  EXPECT_EQ(page.find("Latest validation scores"), std::string::npos);
  for (const auto& [direction, scores] :
       {std::pair{"text to image", result.text_to_image}, {"image to text", result.image_to_text}}) {
    std::size_t at = page.find(direction);
    ASSERT_NE(at, std::string::npos);
    for (const double recall : {scores.recall_at_1, scores.recall_at_5, scores.recall_at_10}) {
      at = page.find(fixed(recall, 3), at);
      EXPECT_LT(at, page.find("</tr>", page.find(direction))) << direction << " " << recall;
    }
  }
  for (const nlohmann::json& line : read_metrics(folder / "run")) {
    if (!line.contains("validation")) continue;
    EXPECT_TRUE(line["validation"]["image_to_text"].contains("recall_at_5"));
  }
}

// At the first evaluation, and not again at each.
TEST(Trainer, UnreadableValidationPicturesAreToldOnce) {
  TemporaryFolder folder;
  const Source shapes = read_source({.data = "shapes:12:9"});
  std::string rows = "filepath,caption\n";
  for (std::size_t row = 0; row < shapes.pairs.size(); ++row) {
    const std::string name = cat(row, ".png");
    write_png(folder / name, shapes.draw(static_cast<std::int64_t>(row)));
    rows += cat(name, ",", shapes.pairs[row].captions.front(), "\n");
  }
  write_file(folder / "val.csv", rows);
  write_file(folder / "5.png", "no picture");
  SmallRun run(
      recipe_with({"data.validation=[\"" + (folder / "val.csv").string() + "\"]", "train.evaluations=4"}),
      folder / "run");
  testing::internal::CaptureStderr();
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const std::string said = testing::internal::GetCapturedStderr();
  const std::string warning = "1 of 12 pictures cannot be read and are left out of validation:\n  ";
  const std::size_t at = said.find(warning + (folder / "5.png").string());
  EXPECT_NE(at, std::string::npos) << said;
  EXPECT_EQ(said.find(warning, at + 1), std::string::npos) << said;
}

TEST(Trainer, ObjectivesAreJudgedOnValidationPairs) {
  TemporaryFolder folder;
  const std::vector<std::string> sets = {"data.split=0.2", "objective=[{kind='info_nce'}, {kind='rotation'}]"};
  SmallRun run(recipe_with(sets), folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  int judged = 0;
  for (const auto& line : read_metrics(folder / "run")) {
    for (const auto& [name, split] : line.items()) {
      if (!split.is_object() || !split.contains("objectives")) continue;
      const auto& objectives = split["objectives"];
      EXPECT_GT(objectives["info_nce"]["loss"].get<double>(), 0);
      EXPECT_NEAR(objectives["rotation"]["loss"].get<double>(), std::log(4), 1);
      EXPECT_LE(objectives["rotation"]["accuracy"].get<double>(), 1);
      ++judged;
    }
  }
  EXPECT_EQ(judged, 2);
}

TEST(Trainer, NumberOfWorkersChangesNothing) {
  TemporaryFolder folder;
  for (const char* workers : {"0", "1", "3"}) {
    SmallRun run(recipe_with({std::string("data.workers=") + workers}), folder / workers);
    ASSERT_EQ(run.trainer->run(), Outcome::finished);
  }
  expect_equal_runs(folder / "0", folder / "1");
  expect_equal_runs(folder / "0", folder / "3");
}

// Of eight different concepts (seed 4): captions of one concept are not told apart.
TEST(Trainer, LearnsEightPairsByHeart) {
  TemporaryFolder folder;
  SmallRun run(recipe_with({"data.shapes_count=8", "data.shapes_seed=4", "train.batch=8", "train.steps=150",
                            "train.lr=5e-3", "views.main.crop=[1.0, 1.0]", "views.main.rotation=0",
                            "tokenizer.vocabulary=280", "train.evaluations=1"}),
               folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  const RetrievalResult result = evaluate_retrieval(embed_setting_of(saved), run.data.train);
  EXPECT_EQ(result.text_to_image.recall_at_1, 1.0);
  EXPECT_EQ(result.image_to_text.recall_at_1, 1.0);
}

TEST(Trainer, RehearsalLeavesNoTrace) {
  TemporaryFolder folder;
  SmallRun plain(recipe_with({}), folder / "plain"), rehearsed(recipe_with({}), folder / "rehearsed");
  EXPECT_GT(rehearsed.trainer->rehearse().seconds_per_step, 0);
  plain.trainer->run();
  rehearsed.trainer->run();
  expect_equal_runs(folder / "plain", folder / "rehearsed");
}

// A checkpoint whose weights hold a NaN is the surest way to a loss that is none.
TEST(Trainer, StopsOnALossThatIsNotFiniteAndKeepsTheCheckpoint) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({});
  SmallRun first(recipe, folder / "run");
  ASSERT_EQ(first.trainer->run(), Outcome::finished);
  fs::remove_all(checkpoint_folder(folder / "run", 12));
  const Sealed good = open_checkpoint(folder / "run", 6);
  TensorMap weights = load_tensors(good.folder / "model.safetensors");
  weights.begin()->second.fill_(std::numeric_limits<float>::quiet_NaN());
  save_tensors(good.folder / "model.safetensors", weights);
  const Sealed poisoned = seal_folder(good.folder, "duet-checkpoint", kCheckpointVersion, good.facts);
  SmallRun second(recipe, folder / "run");
  second.trainer->load(poisoned);
  try {
    second.trainer->run();
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::failed);
    EXPECT_NE(std::string(error.what()).find("at step 6"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("step-6"), std::string::npos) << error.what();
  }
  EXPECT_EQ(checkpoint_steps(folder / "run"), (std::vector<std::int64_t>{6}));
}

TEST(Trainer, KeepsTheBestAndTheNewestCheckpoints) {
  TemporaryFolder folder;
  SmallRun run(recipe_with({"train.evaluations=6", "train.keep=2", "data.split=0.2"}), folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const auto steps = checkpoint_steps(folder / "run");
  EXPECT_LE(steps.size(), 3u);
  EXPECT_EQ(steps.back(), 12);
  EXPECT_NO_THROW(load_saved_model(folder / "run", "best", "cpu"));
  EXPECT_NO_THROW(load_saved_model(folder / "run", "last", "cpu"));
}

// What each checkpoint calls the best so far is what the curve says, and of equal scores the later step: it was
// trained longest. With fewer than ten pictures recall at 10 is always 1. What few queries say is chance: then
// the later step is the better one.
TEST(Trainer, OfEqualScoresTheLaterStepIsTheBest) {
  struct Case {
    std::string metric, split;
    bool few;
  };
  TemporaryFolder folder;
  for (const auto& [metric, split, few] :
       {Case{"recall_at_1", "0.5", false}, {"recall_at_1", "0.1", true}, {"recall_at_10", "0.1", true}}) {
    const fs::path run = folder / (metric + split);
    SmallRun test(recipe_with({"train.evaluations=12", "train.keep=13", "data.split=" + split, "train.batch=8",
                               "train.metric=" + metric}),
                  run);
    ASSERT_EQ(make_task(test.data.validation.front()).queries.size() < kFewQueries, few);
    ASSERT_EQ(test.trainer->run(), Outcome::finished);
    std::int64_t best_step = 0;
    double best = -1;
    for (const nlohmann::json& line : read_metrics(run)) {
      if (!line.contains("validation")) continue;
      const std::int64_t step = line["step"];
      const double score = line["validation"]["text_to_image"][metric];
      if (score >= best || few) best = score, best_step = step;
      const nlohmann::json facts = open_checkpoint(run, step).facts;
      EXPECT_EQ(facts["best"]["step"], best_step) << metric << " at " << step;
      EXPECT_EQ(facts["best"]["metric"], best) << metric << " at " << step;
    }
    EXPECT_EQ(load_saved_model(run, "best", "cpu").step, best_step);
    if (few) {
      EXPECT_EQ(best_step, 12);
    }
  }
}

}  // namespace
}  // namespace duet
