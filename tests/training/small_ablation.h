// An ablation of two arms without its training runs: a plan, and ranks as its runs would find them.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "core/format.h"
#include "core/random.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "training/ablation.h"

namespace duet {

inline constexpr const char* kRecipe = R"(
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

inline constexpr const char* kPlan = R"(
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

inline constexpr const char* kTrials =
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

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Ranks as a function of the run alone; "wide_head", and a larger learning rate, are a little better.
inline std::vector<SplitRanks> invented(const AblationRun& run) {
  const bool is_better =
      run.arm->name == "wide_head" || std::ranges::find(run.sets, "train.lr=3e-3") != run.sets.end();
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

inline bool fill_all(const AblationPlan& plan, AblationResults& results, std::int64_t most = 1000) {
  return fill(
      plan, results, slots_of(plan),
      [&most](const AblationRun& run) -> std::optional<std::vector<SplitRanks>> {
        if (most-- == 0) return std::nullopt;
        return invented(run);
      },
      [](const AblationRun&) {});
}

}  // namespace duet
