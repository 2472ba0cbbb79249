// SIGKILL at random moments, SIGINT and SIGTERM: what was saved is whole, a resumed run ends with the same
// bytes, and a bundle answers from one generation.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <thread>

#include "core/files.h"
#include "core/format.h"
#include "core/random.h"
#include "run/checkpoint.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;

Arguments train_or_resume(const fs::path& recipe, const fs::path& run) {
  if (fs::exists(run / "recipe.toml")) return {"train", "-q", "--resume", run.string()};
  return {"train", recipe.string(), "-q", "--threads", "1", "--out", run.string()};
}

void sleep_microseconds(std::uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

std::uint64_t microseconds_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

// Whether the process has something half written in `folder` whose name begins so.
bool is_saving(pid_t process, const fs::path& folder, const std::string& name = ".") {
  const std::string mark = cat(".tmp-", process);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string found = entry.path().filename().string();
    if (found.starts_with(name) && found.ends_with(mark)) return true;
  }
  return false;
}

// Until is_saving, and up to `more` microseconds longer.
void wait_for_save(pid_t process, const fs::path& folder, const std::string& name, std::uint64_t more,
                   Random& random) {
  while (!is_saving(process, folder, name) && !has_ended(process)) sleep_microseconds(100);
  sleep_microseconds(random.below(more));
}

// Kills it now; whether it was still running.
::testing::AssertionResult kill_now(pid_t process, bool& killed) {
  kill(process, SIGKILL);
  const int exit = wait_for(process);
  killed = exit == 128 + SIGKILL;
  if (killed || exit == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "exit code " << exit;
}

class KillTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  fs::path manifest_ = make_pictures(folder_.path(), 96);
  fs::path recipe_ = make_recipe(folder_.path(), manifest_, 40);
};

// Half of the moments lie anywhere in a run, half within a save. A run that came to its end is compared, and
// another one begun.
TEST_F(KillTest, FortyMomentsThenResumeGivesTheSameBytes) {
  constexpr int kKills = 40;
  const fs::path whole = folder_ / "whole", run = folder_ / "killed";
  const Clock::time_point start = Clock::now();
  ASSERT_EQ(duet_program(train_or_resume(recipe_, whole)).exit, 0);
  const std::uint64_t length = microseconds_since(start);
  Random random(seed_of(1, "kill"));
  int kills = 0, in_save = 0, ends = 0;
  while (kills < kKills) {
    const pid_t process = start_duet(train_or_resume(recipe_, run));
    if (random.chance(0.5)) {
      wait_for_save(process, run / "checkpoints", ".step-", 20'000, random);
    } else {
      sleep_microseconds(random.below(length + length / 2));
    }
    bool killed = false;
    ASSERT_TRUE(kill_now(process, killed));
    for (const std::int64_t step : checkpoint_steps(run)) EXPECT_NO_THROW(open_checkpoint(run, step)) << step;
    if (killed) {
      ++kills;
      in_save += is_saving(process, run / "checkpoints") || is_saving(process, run);
    } else {
      ++ends;
      expect_same_run(whole, run);
      fs::remove_all(run);
    }
  }
  ASSERT_EQ(duet_program(train_or_resume(recipe_, run)).exit, 0);
  expect_same_run(whole, run);
  EXPECT_GT(in_save, 0);
  for (const auto& entry : fs::recursive_directory_iterator(run))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path() << " was left behind";
  std::printf("%d kills of train, %d of them within a save; %d runs came to their end between them\n", kills,
              in_save, ends);
}

TEST_F(KillTest, SignalsSaveAndSayHowToGoOn) {
  make_recipe(folder_.path(), manifest_, 200);  // long enough to be interrupted
  const fs::path whole = folder_ / "whole";
  ASSERT_EQ(duet_program(train_or_resume(recipe_, whole)).exit, 0);
  for (const auto& [signal, exit] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const fs::path run = folder_ / std::to_string(signal);
    const pid_t process =
        start_duet({"train", recipe_.string(), "-q", "--threads", "1", "--out", run.string()});
    while (checkpoint_steps(run).empty() && !has_ended(process)) sleep_microseconds(1000);
    kill(process, signal);
    EXPECT_EQ(wait_for(process), exit);
    const std::int64_t saved = checkpoint_steps(run).back();
    EXPECT_LT(saved, 200);
    EXPECT_NO_THROW(open_checkpoint(run, saved));
    ASSERT_EQ(duet_program(train_or_resume(recipe_, run)).exit, 0);
    expect_same_run(whole, run);
  }
}

// The bundle is written over and over from two tables of pictures; whatever the moment, a query is answered as
// by the one or as by the other.
TEST_F(KillTest, IndexAtTenMomentsLeavesAWholeGeneration) {
  constexpr int kKills = 10;
  const std::pair<const char*, std::uint64_t> kSaves[] = {
      {".model.", 60'000}, {".gen-", 60'000}, {".CURRENT.", 20'000}};  // what is written first, next, last
  const fs::path run = folder_ / "run", bundle = folder_ / "bundle";
  ASSERT_EQ(duet_program(train_or_resume(recipe_, run)).exit, 0);
  const std::array tables = {manifest_, first_rows(manifest_, 60)};
  const auto index = [&](int table) {
    return Arguments{"index", run.string(),    "-q",        "--images", tables[table].string(),
                     "--out", bundle.string(), "--factory", "HNSW8"};
  };
  std::array<std::string, 2> expected;
  for (const int table : {0, 1}) {
    ASSERT_EQ(duet_program(index(table)).exit, 0);
    expected[table] = answer_of(bundle);
  }
  ASSERT_NE(expected[0], expected[1]);
  Random random(seed_of(2, "kill"));
  int kills = 0, published = 0, attempts = 0, last = 1;
  for (; kills < kKills && attempts < 100; ++attempts) {
    const int next = 1 - last;
    const pid_t process = start_duet(index(next));
    const auto& [name, more] = kSaves[attempts % 3];
    wait_for_save(process, bundle, name, more, random);
    bool killed = false;
    ASSERT_TRUE(kill_now(process, killed));
    kills += killed;
    const std::string now = answer_of(bundle);
    ASSERT_TRUE(now == expected[next] || (killed && now == expected[last])) << now;
    if (now == expected[next]) last = next, published += killed;
  }
  EXPECT_EQ(kills, kKills);
  ASSERT_EQ(duet_program(index(1 - last)).exit, 0);
  EXPECT_EQ(answer_of(bundle), expected[1 - last]);
  int entries = 0;  // CURRENT, .lock and at most two generations: nothing of the killed ones stays
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(bundle)) ++entries;
  EXPECT_LE(entries, 4);
  std::printf("%d kills of index in %d attempts, %d of them after the new bundle was in place\n", kills,
              attempts, published);
}

}  // namespace
}  // namespace duet
