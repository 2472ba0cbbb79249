// duet ablate as people run it: in sittings, killed and stopped, with the same file at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/files.h"
#include "core/format.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;

// Two arms and two seeds of some steps; the baseline learns nothing.
constexpr const char* kPlan = R"(
base = "base.toml"
budget_steps = 12
seeds = [1, 2]
baseline = "still"
splits = ["validation"]
metric = "reciprocal_rank"
confirm_seeds = [11]
confirm_splits = ["all=shapes"]
[[arm]]
name = "still"
set = ["train.lr=1e-9"]
[[arm]]
name = "learns"
cost = 0.5
)";

constexpr const char* kRecipe = R"(
[data]
train = "shapes"
shapes_count = 64
split = 0.25
workers = 1
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
[[objective]]
kind = "info_nce"
[train]
batch = 16
minutes = 1
lr = 1e-2
evaluations = 1
)";

class AblateTest : public testing::Test {
 protected:
  // A folder of its own with the plan in it.
  fs::path folder(const std::string& name) const {
    const fs::path folder = folder_ / name;
    fs::create_directories(folder);
    write_file(folder / "base.toml", kRecipe);
    write_file(folder / "plan.toml", kPlan);
    return folder;
  }
  static Arguments ablate(const Arguments& more = {}) {
    Arguments words = {"ablate", "plan.toml", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static std::string results(const fs::path& folder) {
    const fs::path file = folder / "plan.results.jsonl";
    return fs::exists(file) ? read_file(file) : "";
  }
  static std::ptrdiff_t rows(const fs::path& folder) {
    const std::string text = results(folder);
    return std::count(text.begin(), text.end(), '\n');
  }
  template <class Condition>
  static void wait_until(pid_t process, const Condition& holds) {
    while (!holds() && !has_ended(process)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  TemporaryFolder folder_;
};

TEST_F(AblateTest, KilledAndStoppedItEndsWithTheSameFile) {
  const fs::path whole = folder("whole"), killed = folder("killed"), stopped = folder("stopped");
  const Finished at_once = duet_program(ablate(), whole);
  ASSERT_EQ(at_once.exit, 0) << at_once.err;
  EXPECT_EQ(rows(whole), 4);
  EXPECT_THAT(at_once.out, HasSubstr("best on validation: learns"));
  EXPECT_THAT(at_once.err, HasSubstr("learns, seed 2: 24 steps"));
  EXPECT_FALSE(fs::exists(whole / "plan.runs"));

  // Killed after the first row, and once more within a run.
  pid_t process = start_duet(ablate(), killed);
  wait_until(process, [&] { return rows(killed) >= 1; });
  kill(process, SIGKILL);
  EXPECT_EQ(wait_for(process), 128 + SIGKILL);
  process = start_duet(ablate(), killed);
  wait_until(process, [&] {
    return fs::exists(killed / "plan.runs/still.final.2/run/recipe.toml") || rows(killed) > 2;
  });
  kill(process, SIGKILL);
  wait_for(process);
  const Finished later = duet_program(ablate(), killed);
  ASSERT_EQ(later.exit, 0) << later.err;
  EXPECT_EQ(results(killed), results(whole));
  EXPECT_EQ(later.out, at_once.out);

  for (const auto& [signal, exit] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    process = start_duet(ablate({"-q"}), stopped);
    const std::ptrdiff_t before = rows(stopped);
    wait_until(process, [&] { return rows(stopped) > before; });
    kill(process, signal);
    EXPECT_EQ(wait_for(process), exit);
    EXPECT_LT(rows(stopped), 4);
  }
  ASSERT_EQ(duet_program(ablate({"-q"}), stopped).exit, 0);
  EXPECT_EQ(results(stopped), results(whole));

  // With all rows there nothing is run: the recipe's data may be gone.
  const Finished again = duet_program(ablate({"--csv", "table.csv", "--latex", "table.tex"}), whole);
  EXPECT_EQ(again.out, at_once.out);
  EXPECT_THAT(read_file(whole / "table.csv"), HasSubstr("\nfinal,learns,"));
  EXPECT_THAT(read_file(whole / "table.tex"), HasSubstr("\\bottomrule"));

  const Finished confirmed = duet_program(ablate({"--confirm", "--csv", "table.csv"}), whole);
  ASSERT_EQ(confirmed.exit, 0) << confirmed.err;
  EXPECT_EQ(rows(whole), 6);
  EXPECT_THAT(confirmed.out, HasSubstr("on fresh seeds:"));
  EXPECT_THAT(read_file(whole / "table.csv"), HasSubstr("\nconfirm,learns,"));
}

// Costs that are there are not measured anew for it, nor the other arm's peak.
TEST_F(AblateTest, MeasuresWhatIsMissingAlone) {
  const fs::path folder = this->folder("memory");
  const Finished measured = duet_program(ablate({"--measure"}), folder);
  ASSERT_EQ(measured.exit, 0) << measured.err;
  const std::string all = results(folder);
  EXPECT_EQ(rows(folder), 2);  // both costs are given
  for (const std::string arm : {"still", "learns"}) {
    const std::size_t at = all.find(cat("\"arm\":\"", arm, "\",\"role\":\"memory\""));
    ASSERT_NE(at, std::string::npos) << all;
    const double peak = std::stod(all.substr(all.find("\"peak_bytes\":", at) + 13));
    EXPECT_GT(peak, 50e6);
    EXPECT_LT(peak, 20e9);
  }
  EXPECT_FALSE(fs::exists(folder / "plan.runs"));
  ASSERT_EQ(duet_program(ablate({"--measure"}), folder).exit, 0);
  EXPECT_EQ(results(folder), all);
  const std::string kept = all.substr(0, all.find('\n') + 1);
  write_file(folder / "plan.results.jsonl", kept);
  ASSERT_EQ(duet_program(ablate({"--measure"}), folder).exit, 0);
  EXPECT_EQ(rows(folder), 2);
  EXPECT_TRUE(results(folder).starts_with(kept));
  const Finished told = duet_program(ablate({"--dry-run"}), folder);
  EXPECT_THAT(told.out, testing::Not(HasSubstr("not measured")));
}

TEST_F(AblateTest, ARunThatFailsIsNamedWithItsCommand) {
  const fs::path folder = this->folder("fails");
  write_file(folder / "plan.toml", cat(kPlan, "[[arm]]\nname = \"lost\"\ncost = 1\n",
                                       "set = [\"data.train=gone.csv\", \"data.split=0.25\"]\n"));
  const Finished failed = duet_program(ablate(), folder);
  EXPECT_EQ(failed.exit, 3) << failed.err;
  EXPECT_THAT(failed.err,
              HasSubstr("lost, seed 1: ended with exit code 3; see why with\n  duet train base.toml"));
  EXPECT_EQ(rows(folder), 2);  // those before it are kept
  EXPECT_EQ(duet_program(ablate({"--confirm"}), folder).exit, 2);
}

TEST_F(AblateTest, RefusesBeforeTheWork) {
  const fs::path folder = this->folder("refused");
  EXPECT_EQ(duet_program(ablate({"--csv", "nowhere/table.csv"}), folder).exit, 2);
  EXPECT_EQ(duet_program({"ablate", "gone.toml"}, folder).exit, 2);
  write_file(folder / "plan.toml", cat(kPlan, "recipe = \"gone.toml\"\n"));
  const Finished refused = duet_program(ablate(), folder);
  EXPECT_EQ(refused.exit, 2);
  EXPECT_THAT(refused.err, HasSubstr("arm 'learns': gone.toml"));
  EXPECT_EQ(rows(folder), 0);
}

}  // namespace
}  // namespace duet
