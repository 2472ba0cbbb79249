// SIGKILL at random moments, SIGINT and SIGTERM: what was saved is whole, and a resumed run ends with the same
// bytes.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "core/files.h"
#include "core/random.h"
#include "run/checkpoint.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

void expect_same_model(const fs::path& a, const fs::path& b) {
  for (const char* file : {"model/model.safetensors", "model/manifest.json", "metrics.jsonl"})
    EXPECT_EQ(read_file(a / file), read_file(b / file)) << file;
}

Arguments train_or_resume(const fs::path& recipe, const fs::path& run) {
  if (fs::exists(run / "recipe.toml")) return {"train", "-q", "--resume", run.string()};
  return {"train", recipe.string(), "-q", "--threads", "1", "--out", run.string()};
}

void sleep_milliseconds(std::uint64_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::int64_t newest_step(const fs::path& run) {
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  return steps.empty() ? -1 : steps.back();
}

class KillTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  fs::path recipe_ = make_recipe(folder_.path(), make_pictures(folder_.path(), 96), 100);
};

TEST_F(KillTest, AnyMomentThenResumeGivesTheSameBytes) {
  const fs::path whole = folder_ / "whole", killed = folder_ / "killed";
  ASSERT_EQ(duet_program(train_or_resume(recipe_, whole)).exit, 0);
  Random random(seed_of(1, "kill"));
  int kills = 0;
  while (!fs::exists(killed / "model")) {
    const std::int64_t before = newest_step(killed);
    const pid_t process = start_duet(train_or_resume(recipe_, killed));
    // A new checkpoint is progress enough: then at any moment, also within the next save.
    while (newest_step(killed) <= before && !has_ended(process)) sleep_milliseconds(1);
    sleep_milliseconds(random.below(80));
    kill(process, SIGKILL);
    const int exit = wait_for(process);
    ASSERT_TRUE(exit == 0 || exit == 128 + SIGKILL) << exit;
    if (exit != 0) ++kills;
    for (const std::int64_t step : checkpoint_steps(killed)) EXPECT_NO_THROW(open_checkpoint(killed, step));
  }
  ASSERT_GT(kills, 0);
  expect_same_model(whole, killed);
  std::printf("%d kills\n", kills);
}

TEST_F(KillTest, SignalsSaveAndSayHowToGoOn) {
  const fs::path whole = folder_ / "whole";
  ASSERT_EQ(duet_program(train_or_resume(recipe_, whole)).exit, 0);
  for (const auto& [signal, exit] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const fs::path run = folder_ / std::to_string(signal);
    const pid_t process =
        start_duet({"train", recipe_.string(), "-q", "--threads", "1", "--out", run.string()});
    while (checkpoint_steps(run).empty() && !has_ended(process)) sleep_milliseconds(1);
    kill(process, signal);
    EXPECT_EQ(wait_for(process), exit);
    const std::int64_t saved = checkpoint_steps(run).back();
    EXPECT_LT(saved, 100);
    EXPECT_NO_THROW(open_checkpoint(run, saved));
    ASSERT_EQ(duet_program(train_or_resume(recipe_, run)).exit, 0);
    expect_same_model(whole, run);
  }
}

}  // namespace
}  // namespace duet
