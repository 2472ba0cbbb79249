#include "training/ablation_table.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/support/failure.h"
#include "tests/training/small_ablation.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(AblationTable, SaysWhichArmIsBetter) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  ASSERT_FALSE(fill_all(plan, results, 3));
  EXPECT_FALSE(final_table(plan, results).is_whole);
  EXPECT_EQ(final_table(plan, results).arms.back().seeds, 1);
  ASSERT_TRUE(fill_all(plan, results));
  const AblationTable table = final_table(plan, results);
  EXPECT_TRUE(table.is_whole);
  EXPECT_EQ(winner_of(table), "wide_head");
  const AblationMeasure& better = table.arms[1].measure("mean", "recall_at_1");
  const AblationMeasure& alone = table.arms[0].measure("mean", "recall_at_1");
  ASSERT_TRUE(better.difference);
  EXPECT_FALSE(alone.difference);
  EXPECT_NEAR(better.difference->mean, better.mean - alone.mean, 1e-12);
  EXPECT_GT(better.difference->low, 0);
  EXPECT_EQ(better.holm, better.difference->p);  // one comparison
  EXPECT_THAT(to_text(table), HasSubstr("minus alone"));
  const std::string csv = to_csv({table});
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 2 * 3);  // arms, split and mean, metrics
  for (std::size_t begin = 0, end; (end = csv.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_EQ(std::count(csv.begin() + static_cast<std::ptrdiff_t>(begin),
                         csv.begin() + static_cast<std::ptrdiff_t>(end), ','),
              16);
  EXPECT_THAT(to_latex(table), HasSubstr("\\midrule\nalone & 1.00 & 40 & 2 & "));
  EXPECT_THAT(to_latex(table), HasSubstr("wide\\_head & 2.00 & 20 & 2 & "));
}

TEST(AblationTable, NoWinnerWhereNoArmIsAboveTheBaseline) {
  const PlanFolder folder(replaced(kPlan, "name = \"wide_head\"", "name = \"other\""));
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  ASSERT_TRUE(fill_all(plan, results));
  EXPECT_EQ(winner_of(final_table(plan, results)), std::nullopt);
}

TEST(AblationTable, RefusesArmsThatWereAskedOtherQuestions) {
  const PlanFolder folder;
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  fill(
      plan, results, slots_of(plan),
      [](const AblationRun& run) {
        auto splits = invented(run);
        if (run.arm->name == "wide_head") splits.front().ranks.pop_back();
        return splits;
      },
      [](const AblationRun&) {});
  EXPECT_THAT(failure_of([&] { final_table(plan, results); }).text,
              HasSubstr("arm 'wide_head', seed 1: has 39 queries in 'validation', arm 'alone' has 40"));
}

TEST(AblationTable, ConfirmsOnFreshSeeds) {
  const PlanFolder folder(
      replaced(kPlan, "confirm_seeds", "confirm_splits = [\"fresh=test.tsv\"]\nconfirm_seeds"));
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  const auto slots = confirm_slots(plan, "wide_head");
  ASSERT_EQ(slots.size(), 6u);
  EXPECT_EQ(slots.front().arm->name, "wide_head");
  ASSERT_TRUE(fill(plan, results, slots, invented, [](const AblationRun&) {}));
  const AblationTable table = confirm_table(plan, AblationResults(folder.results(), plan), "wide_head");
  EXPECT_TRUE(table.is_whole);
  EXPECT_THAT(table.splits, ElementsAre("validation", "fresh"));
  ASSERT_EQ(table.arms.size(), 2u);
  EXPECT_EQ(table.arms[1].measure("fresh", "recall_at_5").difference->seeds, 3);
  EXPECT_GT(table.arms[1].measure("mean", "recall_at_1").difference->low, 0);
}

}  // namespace
}  // namespace duet
