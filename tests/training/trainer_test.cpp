#include "training/trainer.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "run/saved_model.h"
#include "tensors/device.h"
#include "tests/support/temporary_folder.h"
#include "training/finish.h"

namespace duet {
namespace {

constexpr const char* kShapes = R"(
seed = 3
[data]
train = "shapes"
shapes_count = 64
[tokenizer]
vocabulary = 300
[image]
kind = "convnet"
size = 24
widths = [8, 16]
[text]
kind = "bag_of_tokens"
context = 16
[[space]]
name = "joint"
dimension = 16
[views.main]
crop = [0.8, 1.0]
rotation = 5
[[objective]]
kind = "info_nce"
[train]
batch = 16
steps = 12
lr = 2e-3
evaluations = 2
log_every = 3
ema = 0.9
)";

Recipe recipe_with(const std::vector<std::string>& sets, const char* text = kShapes) {
  Config config = Config::parse(text, "test");
  for (const std::string& assignment : sets) config.set(assignment);
  return read_recipe(config);
}

struct TestRun {
  explicit TestRun(const Recipe& with, const fs::path& folder)
      : recipe(with),
        data(read_training_data(recipe, "")),
        tokenizer(Tokenizer::train(captions_of(data.train), recipe.tokenizer)) {
    fs::create_directories(folder);
    trainer.emplace(recipe, data, tokenizer, folder, torch::kCPU, set_compute_threads(1));
  }
  Recipe recipe;
  TrainingData data;
  Tokenizer tokenizer;
  std::optional<Trainer> trainer;
};

std::string bytes_of(const fs::path& file) { return read_file(file); }

void expect_equal_runs(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(bytes_of(a / "model/model.safetensors"), bytes_of(b / "model/model.safetensors"));
  EXPECT_EQ(bytes_of(a / "metrics.jsonl"), bytes_of(b / "metrics.jsonl"));
  for (const char* file : {"model", "ema", "optimizer", "objectives"}) {
    const std::string name = std::string(file) + ".safetensors";
    EXPECT_EQ(bytes_of(checkpoint_folder(a, 12) / name), bytes_of(checkpoint_folder(b, 12) / name)) << name;
  }
}

class TrainerTest : public testing::TestWithParam<std::vector<std::string>> {};

// From every checkpoint of a run, going on gives the bytes of the run that never stopped.
TEST_P(TrainerTest, ResumeEqualsAnUninterruptedRun) {
  TemporaryFolder folder;
  std::vector<std::string> sets = GetParam();
  sets.insert(sets.end(), {"train.evaluations=4", "train.keep=4"});
  const Recipe recipe = recipe_with(sets);
  TestRun whole(recipe, folder / "whole");
  ASSERT_EQ(whole.trainer->run(), Outcome::finished);
  ASSERT_EQ(checkpoint_steps(folder / "whole"), (std::vector<std::int64_t>{3, 6, 9, 12}));
  for (const std::int64_t step : {3, 6, 9}) {
    const fs::path copy = folder / ("from " + std::to_string(step));
    fs::copy(folder / "whole", copy, fs::copy_options::recursive);
    fs::remove_all(copy / "model");
    for (const std::int64_t later : {3, 6, 9, 12}) {
      if (later > step) fs::remove_all(checkpoint_folder(copy, later));
    }
    TestRun resumed(recipe, copy);
    resumed.trainer->load(open_checkpoint(copy, step));
    ASSERT_EQ(resumed.trainer->run(), Outcome::finished);
    expect_equal_runs(folder / "whole", copy);
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, TrainerTest,
                         testing::Values(std::vector<std::string>{}, std::vector<std::string>{"data.split=0.2"},
                                         std::vector<std::string>{"train.micro_batch=4", "image.norm=group"},
                                         std::vector<std::string>{"text.kind=transformer", "text.width=16",
                                                                  "text.layers=1", "text.heads=2",
                                                                  "text.dropout=0.1"}));

TEST(Trainer, NumberOfWorkersChangesNothing) {
  TemporaryFolder folder;
  for (const char* workers : {"0", "1", "3"}) {
    TestRun run(recipe_with({std::string("data.workers=") + workers}), folder / workers);
    ASSERT_EQ(run.trainer->run(), Outcome::finished);
  }
  expect_equal_runs(folder / "0", folder / "1");
  expect_equal_runs(folder / "0", folder / "3");
}

TEST(Trainer, LearnsEightPairsByHeart) {
  TemporaryFolder folder;
  TestRun run(recipe_with({"data.shapes_count=8", "train.batch=8", "train.steps=150", "train.lr=5e-3",
                       "views.main.crop=[1.0, 1.0]", "views.main.rotation=0", "tokenizer.vocabulary=280",
                       "train.evaluations=1"}),
          folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  const EmbedSetting setting{.model = saved.model.get(),
                             .tokenizer = &*saved.tokenizer,
                             .text_format = saved.recipe.model.text.format,
                             .preprocessing = saved.recipe.preprocessing};
  const RetrievalResult result = evaluate_retrieval(setting, run.data.train);
  EXPECT_EQ(result.text_to_image.recall_at_1, 1.0);
  EXPECT_EQ(result.image_to_text.recall_at_1, 1.0);
}

TEST(Trainer, RehearsalLeavesNoTrace) {
  TemporaryFolder folder;
  TestRun plain(recipe_with({}), folder / "plain"), rehearsed(recipe_with({}), folder / "rehearsed");
  EXPECT_GT(rehearsed.trainer->rehearse().seconds_per_step, 0);
  plain.trainer->run();
  rehearsed.trainer->run();
  expect_equal_runs(folder / "plain", folder / "rehearsed");
}

// A checkpoint whose weights hold a NaN is the surest way to a loss that is none.
TEST(Trainer, StopsOnALossThatIsNotFiniteAndKeepsTheCheckpoint) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({});
  TestRun first(recipe, folder / "run");
  ASSERT_EQ(first.trainer->run(), Outcome::finished);
  fs::remove_all(checkpoint_folder(folder / "run", 12));
  const Sealed good = open_checkpoint(folder / "run", 6);
  TensorMap weights = load_tensors(good.folder / "model.safetensors");
  weights.begin()->second.fill_(std::numeric_limits<float>::quiet_NaN());
  save_tensors(good.folder / "model.safetensors", weights);
  const Sealed poisoned = seal_folder(good.folder, "duet-checkpoint", kCheckpointVersion, good.facts);
  TestRun second(recipe, folder / "run");
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
  TestRun run(recipe_with({"train.evaluations=6", "train.keep=2", "data.split=0.2"}), folder / "run");
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
  const auto steps = checkpoint_steps(folder / "run");
  EXPECT_LE(steps.size(), 3u);
  EXPECT_EQ(steps.back(), 12);
  EXPECT_NO_THROW(load_saved_model(folder / "run", "best", "cpu"));
  EXPECT_NO_THROW(load_saved_model(folder / "run", "last", "cpu"));
}

}  // namespace
}  // namespace duet
