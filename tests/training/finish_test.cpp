#include "training/finish.h"

#include <gtest/gtest.h>

#include <functional>

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

// A log that was deleted, cut or damaged never holds a run hostage: it is warned of, and the run goes on.
TEST(MetricsLog, GoesOnWhateverHappenedToItsFiles) {
  TemporaryFolder folder;
  nlohmann::json offsets;
  fs::path events;
  const auto log_with = [&](const std::function<void()>& damage) {
    fs::remove_all(folder / "run");
    fs::create_directories(folder / "run");
    {
      MetricsLog log(folder / "run", 0, 0);
      for (const int step : {1, 2, 3}) log.write(step, {{"loss", 4.0 - step}});
      offsets = log.offsets();
    }
    for (const auto& entry : fs::directory_iterator(folder / "run"))
      if (entry.path().filename().string().starts_with("events")) events = entry.path();
    damage();
    testing::internal::CaptureStderr();
    {
      MetricsLog log(folder / "run", offsets["metrics"], offsets["events"]);
      log.write(4, {{"loss", 0.0}});
    }
    return testing::internal::GetCapturedStderr();
  };
  const fs::path lines = folder / "run/metrics.jsonl";
  const auto steps = [&] {
    std::vector<int> found;
    for (const auto& line : read_metrics(folder / "run")) found.push_back(line["step"]);
    return found;
  };
  EXPECT_EQ(log_with([] {}), "");
  EXPECT_EQ(steps(), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(log_with([&] { fs::remove(lines); }),
            "warning: " + lines.string() + " is gone: it begins anew at this checkpoint\n");
  EXPECT_EQ(steps(), (std::vector<int>{4}));
  EXPECT_NE(log_with([&] { fs::resize_file(lines, 10); }).find("metrics.jsonl was cut"), std::string::npos);
  EXPECT_EQ(steps(), (std::vector<int>{4}));
  EXPECT_NE(log_with([&] { fs::remove(events); }).find("is gone"), std::string::npos);
  EXPECT_EQ(steps(), (std::vector<int>{1, 2, 3, 4}));
  const std::string warning = log_with([&] {
    std::string text = read_file(lines);
    text[text.find("\"step\":2") + 2] ^= 1;  // another key: JSON, but no line of a curve
    write_file(lines, text);
  });
  EXPECT_EQ(warning, "warning: " + lines.string() + ": left out of the report, as they are damaged: lines 2\n");
  EXPECT_EQ(steps(), (std::vector<int>{1, 3, 4}));
  EXPECT_NE(log_with([&] {
              std::string text = read_file(lines);
              text[text.find('\n')] = 'x';  // the first two become one that is no JSON
              write_file(lines, text);
            }).find("lines 1\n"),
            std::string::npos);
  EXPECT_EQ(steps(), (std::vector<int>{3, 4}));
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
