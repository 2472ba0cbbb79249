#include "training/ablation_results.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/files.h"
#include "core/format.h"
#include "tensors/device.h"
#include "tests/support/failure.h"
#include "tests/training/small_ablation.h"
#include "training/ablation_cost.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(AblationResults, StoppedAndKilledItEndsWithTheSameFile) {
  const PlanFolder whole(cat(kPlan, kTrials)), cut(cat(kPlan, kTrials));
  const AblationPlan plan = whole.read(), same = cut.read();
  AblationResults at_once(whole.results(), plan);
  ASSERT_TRUE(fill_all(plan, at_once));
  const std::string bytes = read_file(whole.results());
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), '\n'), 2 * 2 + 2 * 2);
  for (int sitting = 0; sitting < 9; ++sitting) {
    AblationResults results(cut.results(), same);  // as a new process reads it
    EXPECT_EQ(fill_all(same, results, 1), sitting >= 7) << sitting;
    // A kill in the middle of a line.
    if (sitting == 3) write_file(cut.results(), read_file(cut.results()) + "{\"version\":1,\"arm\":\"wi");
  }
  EXPECT_EQ(read_file(cut.results()), bytes);
}

TEST(AblationResults, KeepsRowsAndCutsHalfALine) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  {
    AblationResults results(folder.results(), plan);
    ASSERT_FALSE(fill_all(plan, results, 3));
  }
  const std::string bytes = read_file(folder.results());
  write_file(folder.results(), bytes + bytes.substr(0, 100));
  testing::internal::CaptureStderr();
  AblationResults results(folder.results(), plan);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("plan.results.jsonl:4: half a line, cut off"));
  int made = 0;
  ASSERT_TRUE(fill(
      plan, results, slots_of(plan),
      [&](const AblationRun& run) {
        ++made;
        EXPECT_EQ(run.folder(), "wide_head.final.2");
        return invented(run);
      },
      [](const AblationRun&) {}));
  EXPECT_EQ(made, 1);
  EXPECT_THAT(read_file(folder.results()), testing::StartsWith(bytes));
}

TEST(AblationResults, RefusesRowsOfAnotherPlan) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  {
    AblationResults results(folder.results(), plan);
    ASSERT_TRUE(fill_all(plan, results));
  }
  const auto refusal = [&](const std::string& from, const std::string& to) {
    folder.write(replaced(kPlan, from, to));
    const Failure failure = failure_of([&] {
      const AblationPlan other = folder.read();
      AblationResults results(folder.results(), other);
      fill_all(other, results);
    });
    EXPECT_EQ(failure.exit, Exit::usage) << to;
    return failure.text;
  };
  EXPECT_THAT(refusal("dimension=24", "dimension=20"),
              HasSubstr("arm 'wide_head', final seed 1: this row was made"));
  EXPECT_THAT(refusal("cost = 2", "cost = 4"), HasSubstr("(20 steps then, 10 now)"));
  EXPECT_THAT(refusal("budget_steps = 40", "budget_steps = 50"), HasSubstr("arm 'alone'"));
  EXPECT_THAT(refusal("wide_head", "wider_head"), HasSubstr("arm 'wide_head', final seed 1: "));
  EXPECT_THAT(refusal("seeds = [1, 2]", "seeds = [1]"), HasSubstr("arm 'alone', final seed 2"));
  // More seeds and arms are no other plan.
  folder.write(replaced(kPlan, "seeds = [1, 2]", "seeds = [1, 2, 3]"));
  const AblationPlan more = folder.read();
  AblationResults results(folder.results(), more);
  EXPECT_TRUE(fill_all(more, results));
}

// The recipe's opening comment says nothing that a run depends on.
TEST(AblationResults, ACommentIsNoOtherPlan) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  ASSERT_TRUE(fill_all(plan, results));
  write_file(folder.folder / "base.toml", cat("# another word\n", kRecipe));
  EXPECT_TRUE(fill_all(plan, results, 0));
}

TEST(AblationResults, NamesDamagedLines) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  {
    AblationResults results(folder.results(), plan);
    ASSERT_TRUE(fill_all(plan, results));
  }
  const std::string bytes = read_file(folder.results()), first = bytes.substr(0, bytes.find('\n') + 1);
  const auto refusal = [&](const std::string& content) {
    write_file(folder.results(), content);
    const Failure failure = failure_of([&] { AblationResults(folder.results(), plan); });
    EXPECT_EQ(failure.exit, Exit::artifact);
    return failure.text;
  };
  EXPECT_THAT(refusal(bytes + first), HasSubstr("jsonl:5: arm 'alone', final seed 1: there twice"));
  EXPECT_THAT(refusal(first + "nonsense\n"), HasSubstr("jsonl:2: this is no row"));
  EXPECT_THAT(refusal(replaced(bytes, "\"seed\":1", "\"seed\":\"1\"")), HasSubstr("jsonl:1: damaged"));
  EXPECT_THAT(refusal(replaced(bytes, "\"version\":1", "\"version\":2")),
              HasSubstr("jsonl:1: a row of version 2"));
}

TEST(AblationResults, TheBestTrialIsUsedForTheSeeds) {
  const PlanFolder folder(cat(kPlan, kTrials));
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  EXPECT_EQ(results.tuned(plan.arm("alone")), std::nullopt);
  ASSERT_TRUE(fill_all(plan, results));
  EXPECT_THAT(*results.tuned(plan.arm("alone")), ElementsAre("train.lr=3e-3"));
  EXPECT_THAT(*results.tuned(plan.arm("wide_head")), ElementsAre("train.lr=1e-3"));  // equal: the first
  for (const AblationRow& row : results.rows()) {
    if (row.role == "final" && row.arm == "alone") {
      EXPECT_THAT(row.sets, ElementsAre("train.lr=3e-3"));
    }
  }
}

TEST(AblationResults, CostsAreMeasuredOnceAndKept) {
  set_compute_threads(1);
  const PlanFolder folder(replaced(kPlan, "cost = 2\n", ""));
  const AblationPlan plan = folder.read();
  {
    AblationResults results(folder.results(), plan);
    EXPECT_EQ(results.cost_of(plan.arm("alone"))->step, 1);
    EXPECT_FALSE(results.cost_of(plan.arm("wide_head")));
    measure_costs(plan, results, {.root = {}});
  }
  const std::string bytes = read_file(folder.results());
  AblationResults results(folder.results(), plan);
  ASSERT_TRUE(results.cost_of(plan.arm("wide_head")));
  EXPECT_GT(results.cost_of(plan.arm("wide_head"))->step, 0);
  EXPECT_GT(results.costs().front().baseline_seconds, 0);
  measure_costs(plan, results, {.root = {}});
  EXPECT_EQ(read_file(folder.results()), bytes);
  folder.write(replaced(replaced(kPlan, "cost = 2\n", ""), "dimension=24", "dimension=32"));
  const AblationPlan other = folder.read();
  EXPECT_THAT(
      failure_of([&] { AblationResults(folder.results(), other).cost_of(other.arm("wide_head")); }).text,
      HasSubstr("arm 'wide_head', cost: this row was made by another plan"));
}

// Opening a results file cuts half a line off: what another process has added meanwhile must stay.
TEST(AblationResults, RowsOfAnotherProcessAreNotCutOff) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  const fs::path file = folder.results();
  AblationResults first(file, plan), second(file, plan);
  const auto cost = [](const char* arm) {
    return CostRow{.arm = arm, .cost = {}, .baseline_seconds = 0.1, .identity = "x"};
  };
  first.add_cost(cost("alone"));
  const std::string kept = read_file(file);
  EXPECT_THAT(failure_of([&] { second.add_cost(cost("wide_head")); }).text, HasSubstr("has changed"));
  EXPECT_EQ(read_file(file), kept);
}

}  // namespace
}  // namespace duet
