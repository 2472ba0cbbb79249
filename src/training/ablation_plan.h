// What an ablation compares: arms (a recipe each, and what is changed in it), seeds, tuning trials, and one
// budget that every arm gets in full. An arm whose step costs twice the baseline's makes half of its steps.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "run/recipe.h"

namespace duet {

// A recipe and assignments as of --set.
struct AblationRecipe {
  std::filesystem::path file;
  std::vector<std::string> sets;
  // Read and checked whole; Error(usage) naming its own place.
  Recipe resolve(const std::vector<std::string>& more_sets) const;
};

struct AblationArm {
  std::string name;
  AblationRecipe recipe;
  std::optional<double> cost;  // of a step, the baseline's being 1; none: measured
  // A run of its own before, whose towers `recipe` begins with; it gets this share of the budget.
  std::optional<AblationRecipe> pretrain;
  double pretrain_share = 0;
  std::optional<double> pretrain_cost;
  std::vector<std::string> carried = {};         // towers: image, text
  std::vector<std::vector<std::string>> trials;  // assignments of each tuning trial
};

struct AblationPlan {
  std::filesystem::path file;
  std::string baseline;
  std::vector<AblationArm> arms;
  std::int64_t budget_steps = 0, tuning_steps = 0;  // of the baseline
  std::vector<std::int64_t> seeds, confirm_seeds;
  std::int64_t tuning_seed = 0;
  std::vector<std::string> splits;          // names of the recipes' validation data: what chooses
  std::vector<NamedSource> confirm_splits;  // looked at when the winner is confirmed, and not before
  std::string metric;                       // value_of_rank

  const AblationArm& arm(const std::string& name) const;  // there is one of that name
  bool has_arm(const std::string& name) const;
};

// Every recipe of it is read, too. Error(usage) with the place of what is wrong; of a recipe, with the arm's
// name before.
AblationPlan read_ablation_plan(Config config);

// What a step costs, the baseline's being 1.
struct StepCost {
  double step = 1;
  double pretrain_step = 1;
};
struct ArmSteps {
  std::int64_t pretrain = 0, steps = 0;
};
ArmSteps steps_of(const AblationArm& arm, std::int64_t budget, const StepCost& cost);

// One training of the grid, from nothing to scores.
struct AblationRun {
  const AblationArm* arm = nullptr;
  std::string role;         // tuning | final | confirm
  std::int64_t trial = -1;  // of tuning
  std::int64_t seed = 0;
  std::vector<std::string> sets;  // of the trial at hand, or the best one's
  ArmSteps steps;
  std::string identity;  // checksum of all that its row depends on

  std::string name() const;                      // "slip, tuning trial 2", "slip, seed 3": for messages
  std::string folder() const;                    // of its own among the runs'
  std::vector<std::string> recipe_sets() const;  // all, seed and budget among them
  std::vector<std::string> pretrain_sets() const;
};
AblationRun plan_run(const AblationPlan& plan, const AblationArm& arm, const std::string& role,
                     std::int64_t trial, std::int64_t seed, const std::vector<std::string>& sets,
                     const StepCost& cost);
// Checksum of what a measured cost depends on: the arm's recipes and the baseline's.
std::string cost_identity(const AblationPlan& plan, const AblationArm& arm);

}  // namespace duet
