#include "training/finish.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "run/checkpoint.h"
#include "tests/support/temporary_folder.h"
#include "training/metrics_log.h"

namespace duet {
namespace {

TEST(MetricsLog, IsCutBackToWhatACheckpointRecorded) {
  TemporaryFolder folder;
  nlohmann::json offsets;
  {
    MetricsLog log(folder.path(), 0, 0);
    log.write(1, {{"loss", 2.0}});
    log.rate(1, 100);
    offsets = log.offsets();
    log.write(2, {{"loss", 1.0}});
  }
  EXPECT_EQ(read_metrics(folder.path()).size(), 2u);
  {
    MetricsLog log(folder.path(), offsets["metrics"], offsets["events"]);
    EXPECT_EQ(log.offsets(), offsets);
    log.write(2, {{"loss", 0.5}});
  }
  const auto lines = read_metrics(folder.path());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["loss"], 2.0);
  EXPECT_EQ(lines[1]["loss"], 0.5);
}

TEST(Checkpoints, AreListedByStepAndPruned) {
  TemporaryFolder folder;
  for (const std::int64_t step : {5, 100, 20, 7}) {
    save_checkpoint(
        folder.path(), step,
        {.recipe_toml = "a = 1\n", .tokenizer_model = "", .tensors = {}, .facts = {{"step", step}}});
  }
  fs::create_directories(folder / "checkpoints/.step-9.tmp-1");
  fs::create_directories(folder / "checkpoints/step-x");
  EXPECT_EQ(checkpoint_steps(folder.path()), (std::vector<std::int64_t>{5, 7, 20, 100}));
  prune_checkpoints(folder.path(), 2, 5);
  EXPECT_EQ(checkpoint_steps(folder.path()), (std::vector<std::int64_t>{5, 20, 100}));
  EXPECT_EQ(open_checkpoint(folder.path(), 20).facts["step"], 20);
}

TEST(Checkpoints, OfAnotherFormatAreRefused) {
  TemporaryFolder folder;
  save_model(folder.path(),
             {.recipe_toml = "a = 1\n", .tokenizer_model = "", .tensors = {}, .facts = {{"step", 1}}});
  fs::create_directories(folder / "checkpoints");
  fs::rename(folder / "model", checkpoint_folder(folder.path(), 1));
  try {
    open_checkpoint(folder.path(), 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::artifact);
    EXPECT_NE(std::string(error.what()).find("a model"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace duet
