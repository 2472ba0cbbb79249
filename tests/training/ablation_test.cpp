// An ablation without its training runs: plan, steps, results file, table.
#include "training/ablation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "core/format.h"
#include "core/random.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "training/ablation_cost.h"
#include "training/ablation_process.h"
#include "training/ablation_table.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kRecipe = R"(
[data]
train = "shapes"
shapes_count = 64
split = 0.25
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
)";

constexpr const char* kPlan = R"(
base = "base.toml"
budget_steps = 40
seeds = [1, 2]
baseline = "alone"
splits = ["validation"]
confirm_seeds = [11, 12, 13]
[[arm]]
name = "alone"
[[arm]]
name = "wide_head"
set = ["space.0.dimension=24"]
cost = 2
)";

constexpr const char* kTrials =
    "[[tuning]]\nset = [\"train.lr=1e-3\"]\n[[tuning]]\nset = [\"train.lr=3e-3\"]\n";

// A folder with base.toml and plan.toml.
struct PlanFolder {
  explicit PlanFolder(const std::string& plan = kPlan, const std::string& recipe = kRecipe) {
    write_file(folder / "base.toml", recipe);
    write(plan);
  }
  void write(const std::string& plan) const { write_file(folder / "plan.toml", plan); }
  AblationPlan read() const { return read_ablation_plan(Config::read(folder / "plan.toml")); }
  fs::path results() const { return folder / "plan.results.jsonl"; }
  Failure refusal(const std::string& plan) const {
    write(plan);
    return failure_of([&] { read(); });
  }
  TemporaryFolder folder;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Ranks as a function of the run alone; "wide_head", and a larger learning rate, are a little better.
std::vector<SplitRanks> invented(const AblationRun& run) {
  const bool is_better =
      run.arm->name == "wide_head" || testing::Value(run.sets, testing::Contains("train.lr=3e-3"));
  std::vector<SplitRanks> splits = {{.name = "validation", .gallery = 50, .ranks = {}}};
  if (run.role == "confirm") splits.push_back({.name = "fresh", .gallery = 50, .ranks = {}});
  for (SplitRanks& split : splits) {
    for (std::int64_t query = 0; query < 40; ++query) {
      Random random(seed_of(1, run.seed, query));
      split.ranks.push_back(random.chance(0.3) || (is_better && query % 2 == 0)
                                ? 1
                                : 2 + static_cast<std::int64_t>(random.below(20)));
    }
  }
  return splits;
}

bool fill_all(const AblationPlan& plan, AblationResults& results, std::int64_t most = 1000) {
  return fill(
      plan, results, slots_of(plan),
      [&most](const AblationRun& run) -> std::optional<std::vector<SplitRanks>> {
        if (most-- == 0) return std::nullopt;
        return invented(run);
      },
      [](const AblationRun&) {});
}

// ---- Plan

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

TEST(AblationPlan, AnArmThatCannotBeBuiltIsNamedBeforeAnythingRuns) {
  const PlanFolder folder(
      replaced(kPlan, "space.0.dimension=24", "objective=[{kind='info_nce'}, {kind='masked_lm'}]"));
  const Failure failure = failure_of([&] { check_arms(folder.read()); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_THAT(failure.text, HasSubstr("arm 'wide_head': "));
  EXPECT_THAT(failure.text, HasSubstr("text.kind"));
  EXPECT_NO_THROW(check_arms(PlanFolder().read()));
}

// ---- Results

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

// ---- Table

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

// ---- Processes

// Three hundred million bytes held at once, by a program that is small itself.
TEST(AblationProcess, TellsTheMostMemoryThatAProgramHeld) {
  const std::uint64_t small = run_program({"/bin/sh", "-c", "exit 0"}).peak_bytes;
  const std::uint64_t large =
      run_program({"/bin/sh", "-c", "head -c 300000000 /dev/zero | tail -n 1 > /dev/null"}).peak_bytes;
  EXPECT_GT(small, 0u);
  EXPECT_GT(large, 290'000'000u);
  EXPECT_GT(large, small);
}

TEST(AblationProcess, TellsHowAProgramEnded) {
  EXPECT_EQ(run_program({"/bin/sh", "-c", "exit 3"}).code, 3);
  EXPECT_EQ(run_program({"/bin/sh", "-c", "kill -9 $$"}).code, 128 + 9);
  EXPECT_EQ(failure_of([] { run_program({"/nowhere/program"}); }).exit, Exit::failed);
  EXPECT_EQ(shell_line({"duet", "a b", "it's", "--set", "x=[1]"}), "duet 'a b' 'it'\\''s' --set 'x=[1]'");
}

}  // namespace
}  // namespace duet
