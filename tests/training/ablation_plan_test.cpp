// An ablation's plan: what is read, what is refused, and the grid of its runs.
#include "training/ablation_plan.h"

#include <gmock/gmock.h>

#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/training/small_ablation.h"
#include "training/ablation.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(AblationPlan, BudgetTurnsIntoStepsByCost) {
  AblationArm arm{.name = "x", .recipe = {}, .cost = {}, .pretrain = {}, .pretrain_cost = {}, .trials = {}};
  EXPECT_EQ(steps_of(arm, 400, {.step = 1}).steps, 400);
  EXPECT_EQ(steps_of(arm, 400, {.step = 1.83}).steps, 219);  // 218.6
  EXPECT_EQ(steps_of(arm, 400, {.step = 2}).pretrain, 0);
  EXPECT_EQ(steps_of(arm, 1, {.step = 100}).steps, 1);
  arm.pretrain = AblationRecipe{};
  arm.pretrain_share = 0.25;
  const ArmSteps steps = steps_of(arm, 400, {.step = 1.5, .pretrain_step = 0.5});
  EXPECT_EQ(steps.pretrain, 200);
  EXPECT_EQ(steps.steps, 200);
}

TEST(AblationPlan, ReadsArmsWithTheirRecipes) {
  const PlanFolder folder(
      cat(kPlan, "[[arm]]\nname = \"pretrained\"\npretrain = \"base.toml\"\npretrain_share = 0.3\n",
          "carry = [\"image\", \"text\"]\npretrain_set = [\"train.lr=1e-4\"]\n", kTrials));
  const AblationPlan plan = folder.read();
  ASSERT_EQ(plan.arms.size(), 3u);
  EXPECT_EQ(plan.arm("wide_head").cost, 2);
  EXPECT_EQ(plan.arm("alone").recipe.file.filename(), "base.toml");
  EXPECT_EQ(plan.metric, "recall_at_1");
  EXPECT_EQ(plan.tuning_steps, 40);
  EXPECT_EQ(plan.arm("pretrained").trials.size(), 2u);
  const AblationRun run = plan_run(plan, plan.arm("pretrained"), "final", -1, 2, {"train.lr=1e-3"},
                                   {.step = 2, .pretrain_step = 4});
  EXPECT_THAT(run.recipe_sets(), ElementsAre("train.lr=1e-3", "seed=2", "train.steps=14"));
  EXPECT_THAT(run.pretrain_sets(), ElementsAre("train.lr=1e-4", "seed=2", "train.steps=3"));
}

TEST(AblationPlan, AnArmMayHaveTrialsOfItsOwnButNotMoreOfThem) {
  const std::string own = "[[arm.tuning]]\nset = [\"objective.0.weight=2\"]\n";
  const PlanFolder folder;
  EXPECT_THAT(folder.refusal(cat(kPlan, own)).text, HasSubstr("'wide_head' has 1 tuning trials, 'alone' 0"));
  folder.write(cat(kPlan, own, "[[tuning]]\nset = [\"train.lr=1e-3\"]\n"));
  EXPECT_THAT(folder.read().arm("wide_head").trials, ElementsAre(ElementsAre("objective.0.weight=2")));
}

TEST(AblationPlan, RefusesWithThePlaceAndTheRemedy) {
  const PlanFolder folder;
  const std::string plan = kPlan;
  const auto expect = [&](const std::string& from, const std::string& to,
                          const std::vector<std::string>& said) {
    const Failure failure = folder.refusal(replaced(plan, from, to));
    EXPECT_EQ(failure.exit, Exit::usage) << to;
    for (const std::string& part : said) EXPECT_THAT(failure.text, HasSubstr(part)) << to;
  };
  expect("baseline = \"alone\"", "baseline = \"alon\"", {"plan.toml:5:1", "'alon'", "did you mean 'alone'?"});
  expect("cost = 2", "costs = 2", {"plan.toml:13:1", "unknown key 'costs'", "did you mean 'cost'?"});
  expect("[1, 2]", "[1, 2, 1]", {"plan.toml:4:1", "seed 1 is there twice"});
  expect("[11, 12, 13]", "[11, 2, 13]", {"plan.toml:7:1", "seed 2 is there twice"});
  expect("[1, 2]", "[1, 2.5]", {"plan.toml:4:1", "2.5 is no seed"});
  expect("[1, 2]", "[1, 1000]", {"seed 1000 is there twice"});
  expect("name = \"wide_head\"", "name = \"alone\"", {"plan.toml:11:1", "two arms are called 'alone'"});
  expect("wide_head", "wide head/", {"'wide head/' cannot name an arm"});
  expect("[\"validation\"]", "[\"val\"]", {"plan.toml:6:1", "arm 'alone'", "'val'", "it has validation"});
  expect("space.0.dimension=24", "space.0.dimension=-1", {"arm 'wide_head': --set space.0.dimension=-1"});
  expect("space.0.dimension=24", "seed=3", {"plan.toml:12:1", "changes 'seed'"});
  expect("space.0.dimension=24", "train.steps=3", {"changes 'train.steps'"});
  expect("cost = 2", "recipe = \"gone.toml\"", {"arm 'wide_head': ", "gone.toml"});
  expect("name = \"alone\"\n", "name = \"alone\"\ncost = 2\n", {"'alone' has a cost of its own"});
  expect("seeds = [1, 2]\n", "", {"'seeds' is missing"});
  EXPECT_THAT(folder.refusal(cat(plan, "[[tuning]]\nset = [\"train.batch=32\"]\n")).text,
              HasSubstr("a trial cannot set 'train.batch'"));
  for (const char* sets : {"train.batch =32", "image.widths=[64, 128]", "objective.0.kind=sigmoid"})
    EXPECT_THAT(folder.refusal(cat(plan, "[[tuning]]\nset = [\"", sets, "\"]\n")).text,
                HasSubstr("a trial cannot set"))
        << sets;
  EXPECT_THAT(folder.refusal(cat(plan, "[[tuning]]\nset = [\"train={batch=32, minutes=1}\"]\n")).text,
              HasSubstr("changes 'train.steps'"));
}

TEST(AblationPlan, AnArmThatCannotBeBuiltIsNamedBeforeAnythingRuns) {
  const PlanFolder folder(
      replaced(kPlan, "space.0.dimension=24", "objective=[{kind='info_nce'}, {kind='masked_lm'}]"));
  const Failure failure = failure_of([&] { check_arms(folder.read()); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_THAT(failure.text, HasSubstr("arm 'wide_head': "));
  EXPECT_THAT(failure.text, HasSubstr("text.kind"));
  EXPECT_NO_THROW(check_arms(PlanFolder().read()));
}

TEST(Ablation, TellsTheGrid) {
  const PlanFolder folder(cat(kPlan, kTrials));
  const AblationPlan plan = folder.read();
  AblationResults results(folder.results(), plan);
  ASSERT_FALSE(fill_all(plan, results, 3));
  const std::string text = grid_text(plan, results);
  EXPECT_THAT(text, HasSubstr("alone      1.00       not measured  2       40     2      40     2/4"));
  EXPECT_THAT(text, HasSubstr("wide_head  2.00       not measured  2       20     2      20     1/4"));
  EXPECT_THAT(text, HasSubstr("5 of 8 runs to do"));
  results.add_memory(
      {.arm = "alone", .peak_bytes = 612'000'000, .identity = cost_identity(plan, plan.arm("alone"))});
  results.add_memory({.arm = "wide_head", .peak_bytes = 1, .identity = "of another recipe"});
  const std::string later = grid_text(plan, AblationResults(folder.results(), plan));
  EXPECT_THAT(later, HasSubstr(cat("alone      1.00       ", human_bytes(612'000'000))));
  EXPECT_THAT(later, HasSubstr("wide_head  2.00       not measured"));
}

}  // namespace
}  // namespace duet
