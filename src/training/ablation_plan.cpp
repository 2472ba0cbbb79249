#include "training/ablation_plan.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "optim/groups.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = 1'000'000'000;

// The key that an assignment sets, without the white space around it.
std::string key_of(const Config& config, std::string_view key, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::size_t first = assignment.find_first_not_of(" \t");
  if (equals == std::string::npos || first >= equals)
    config.fail(key, cat("'", assignment, "' has no KEY=VALUE"), "write, say, \"train.lr=1e-3\"");
  return assignment.substr(first, assignment.find_last_not_of(" \t", equals - 1) + 1 - first);
}

bool lies_below(std::string_view name, std::string_view table) {
  return name == table || (name.starts_with(table) && name[table.size()] == '.');
}

// Seed and budget are the plan's, also where a whole table is set.
void check_sets(const Config& config, std::string_view key, const std::vector<std::string>& sets) {
  for (const std::string& assignment : sets) {
    const std::string name = key_of(config, key, assignment);
    for (const std::string_view one : {"seed", "train.steps", "train.epochs", "train.minutes"}) {
      if (lies_below(name, one) || lies_below(one, name))
        config.fail(key, cat("'", assignment, "' changes '", one, "'"), "seed and budget are the plan's");
    }
  }
}

// A step's cost is measured once for an arm, so that its trials change nothing that costs time.
void check_trial(const Config& config, std::string_view key, const std::vector<std::string>& sets) {
  const std::vector<std::string> free = {"train.lr",
                                         "train.lr_end",
                                         "train.warmup",
                                         "train.weight_decay",
                                         "train.betas",
                                         "train.eps",
                                         "train.clip",
                                         "train.ema",
                                         "train.schedule",
                                         "objective.*.weight",
                                         "objective.*.temperature",
                                         "objective.*.label_smoothing",
                                         "objective.*.momentum"};
  for (const std::string& assignment : sets) {
    const std::string name = key_of(config, key, assignment);
    if (std::any_of(free.begin(), free.end(),
                    [&](const std::string& one) { return matches_parameter(one, name); }))
      continue;
    config.fail(key, cat("a trial cannot set '", name, "', which may change what a step costs"),
                cat("trials set ", joined(free), "; put other keys into an arm's 'set'"));
  }
}

std::vector<std::string> read_sets(Config& config, std::string_view key, bool is_tuning) {
  std::vector<std::string> sets = config.texts(key, {});
  check_sets(config, key, sets);
  if (is_tuning) check_trial(config, key, sets);
  return sets;
}

std::vector<std::vector<std::string>> read_trials(std::vector<Config> tables) {
  std::vector<std::vector<std::string>> trials;
  for (Config& table : tables) trials.push_back(read_sets(table, "set", true));
  return trials;
}

std::vector<std::int64_t> read_seeds(Config& config, std::string_view key, std::set<std::int64_t>& taken) {
  std::vector<std::int64_t> seeds;
  for (const double number : config.numbers(key, {}, {0, 1e15})) {
    const auto seed = static_cast<std::int64_t>(number);
    if (static_cast<double>(seed) != number)
      config.fail(key, cat(number, " is no seed"), "a seed is a whole number");
    if (!taken.insert(seed).second)
      config.fail(key, cat("seed ", seed, " is there twice"),
                  "seeds, tuning_seed and confirm_seeds are all different");
    seeds.push_back(seed);
  }
  return seeds;
}

std::optional<double> read_cost(Config& config, std::string_view key) {
  if (!config.has(key)) return std::nullopt;
  return config.number(key, 1, {1e-3, 1e3});
}

void check_name(const Config& config, const std::string& name, const AblationPlan& plan) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";
  if (name.empty() || name.find_first_not_of(kAllowed) != std::string::npos)
    config.fail("name", cat("'", name, "' cannot name an arm"), "letters, digits, _, + and - are allowed");
  if (plan.has_arm(name))
    config.fail("name", cat("two arms are called '", name, "'"), "give each a name of its own");
}

AblationArm read_arm(Config& config, const AblationPlan& plan, const fs::path& base,
                     const std::vector<std::vector<std::string>>& common_trials) {
  const auto beside = [&](const std::string& file) {
    return (plan.file.parent_path() / file).lexically_normal();
  };
  AblationArm arm;
  arm.name = config.required_text("name");
  check_name(config, arm.name, plan);
  const std::string own = config.text("recipe", "");
  arm.recipe = {.file = own.empty() ? base : beside(own), .sets = read_sets(config, "set", false)};
  arm.cost = read_cost(config, "cost");
  if (const std::string pretrain = config.text("pretrain", ""); !pretrain.empty()) {
    arm.pretrain = AblationRecipe{.file = beside(pretrain), .sets = read_sets(config, "pretrain_set", false)};
    arm.pretrain_share = config.number("pretrain_share", 0.5, {0.01, 0.99});
    arm.pretrain_cost = read_cost(config, "pretrain_cost");
    arm.carried = config.texts("carry", {"image"});
    for (const std::string& tower : arm.carried) {
      if (tower != "image" && tower != "text")
        config.fail("carry", cat("there is no tower '", tower, "'"), "carry names \"image\", \"text\" or both");
    }
    if (arm.carried.empty())
      config.fail("carry", "carries no tower over", "carry names \"image\", \"text\" or both");
  }
  arm.trials = read_trials(config.tables("tuning"));
  if (arm.trials.empty()) arm.trials = common_trials;
  return arm;
}

void check_trials(const Config& config, const AblationPlan& plan) {
  const AblationArm& baseline = plan.arm(plan.baseline);
  for (const AblationArm& arm : plan.arms) {
    if (arm.trials.size() != baseline.trials.size())
      config.fail("arm",
                  cat("'", arm.name, "' has ", arm.trials.size(), " tuning trials, '", baseline.name, "' ",
                      baseline.trials.size()),
                  "every arm gets the same number: what was tuned longer is better for that alone");
  }
}

std::vector<std::string> split_names_of(const Recipe& recipe) {
  std::vector<std::string> names;
  for (const NamedSource& split : recipe.data.validation) names.push_back(split.name);
  if (recipe.data.split > 0) names.emplace_back("validation");
  return names;
}

Recipe resolve_for(const AblationArm& arm, const AblationRecipe& recipe, const std::vector<std::string>& sets) {
  try {
    return recipe.resolve(sets);
  } catch (const Error& error) {
    throw Error(error.exit(), cat("arm '", arm.name, "': ", error.what()));
  }
}

// Whatever an arm will be run with can be read, and has the splits that choose.
void check_recipes(const Config& config, const AblationPlan& plan) {
  for (const AblationArm& arm : plan.arms) {
    std::vector<std::vector<std::string>> trials = arm.trials;
    trials.emplace_back();
    for (const std::vector<std::string>& sets : trials) {
      const std::vector<std::string> names = split_names_of(resolve_for(arm, arm.recipe, sets));
      for (const std::string& split : plan.splits) {
        if (std::find(names.begin(), names.end(), split) != names.end()) continue;
        config.fail(
            "splits",
            cat("the recipe of arm '", arm.name, "' has no validation data '", split, "'",
                did_you_mean(split, names)),
            names.empty() ? std::string("name some in its data.validation") : cat("it has ", joined(names)));
      }
    }
    if (arm.pretrain) resolve_for(arm, *arm.pretrain, {});
  }
}

// The comment that a recipe opens with is no part of what it says.
std::string without_comment(const std::string& toml) {
  std::string text;
  std::istringstream lines(toml);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) text += line + "\n";
  }
  return text;
}

std::string text_of(const AblationRecipe& recipe, const std::vector<std::string>& sets) {
  return without_comment(recipe.resolve(sets).toml);
}

std::vector<std::string> budget_sets(std::int64_t seed, std::int64_t steps) {
  return {cat("seed=", seed), cat("train.steps=", steps)};
}

std::vector<std::string> together(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

Recipe AblationRecipe::resolve(const std::vector<std::string>& more_sets) const {
  Config config = Config::read(file);
  for (const std::string& assignment : together(sets, more_sets)) config.set(assignment);
  return read_recipe(config);
}

bool AblationPlan::has_arm(const std::string& name) const {
  return std::any_of(arms.begin(), arms.end(), [&](const AblationArm& arm) { return arm.name == name; });
}

const AblationArm& AblationPlan::arm(const std::string& name) const {
  return *std::find_if(arms.begin(), arms.end(), [&](const AblationArm& arm) { return arm.name == name; });
}

AblationPlan read_ablation_plan(Config config) {
  AblationPlan plan;
  plan.file = config.file();
  const fs::path base = (plan.file.parent_path() / config.required_text("base")).lexically_normal();
  plan.budget_steps = config.integer("budget_steps", 0, 1, kMost);
  if (plan.budget_steps == 0)
    config.fail("", "'budget_steps' is missing", "it is the number of steps of the baseline");
  plan.tuning_steps = config.integer("tuning_steps", plan.budget_steps, 1, kMost);
  std::set<std::int64_t> taken;
  plan.seeds = read_seeds(config, "seeds", taken);
  if (plan.seeds.empty()) config.fail("", "'seeds' is missing", "seeds = [1, 2, 3], say");
  plan.confirm_seeds = read_seeds(config, "confirm_seeds", taken);
  plan.tuning_seed = config.integer("tuning_seed", 1000, 0, kMost);
  if (!taken.insert(plan.tuning_seed).second)
    config.fail("tuning_seed", cat("seed ", plan.tuning_seed, " is there twice"),
                "seeds, tuning_seed and confirm_seeds are all different");
  plan.splits = config.texts("splits", {});
  if (plan.splits.empty())
    config.fail("", "'splits' is missing", "name the recipes' validation data that choose");
  std::vector<std::string> split_names = plan.splits;
  for (const std::string& entry : config.texts("confirm_splits", {})) {
    plan.confirm_splits.push_back(named_source(entry, {}, split_names));
    split_names.push_back(plan.confirm_splits.back().name);
  }
  plan.metric =
      config.choice("metric", "recall_at_1", {"recall_at_1", "recall_at_5", "recall_at_10", "reciprocal_rank"});
  const auto trials = read_trials(config.tables("tuning"));
  std::vector<std::string> names;
  for (Config& table : config.tables("arm")) {
    plan.arms.push_back(read_arm(table, plan, base, trials));
    names.push_back(plan.arms.back().name);
  }
  plan.baseline = config.required_text("baseline");
  if (!plan.has_arm(plan.baseline))
    config.fail("baseline", cat("there is no arm '", plan.baseline, "'", did_you_mean(plan.baseline, names)),
                names.empty() ? std::string("add an [[arm]]") : cat("there are ", joined(names)));
  if (plan.arm(plan.baseline).cost.value_or(1) != 1)
    config.fail("baseline", cat("'", plan.baseline, "' has a cost of its own"),
                "its step is the measure: leave it out");
  config.finish();
  check_trials(config, plan);
  check_recipes(config, plan);
  return plan;
}

ArmSteps steps_of(const AblationArm& arm, std::int64_t budget, const StepCost& cost) {
  const auto affordable = [budget](double share, double of_step) {
    return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(budget) / of_step));
  };
  ArmSteps steps{.steps = affordable(1 - arm.pretrain_share, cost.step)};
  if (arm.pretrain) steps.pretrain = affordable(arm.pretrain_share, cost.pretrain_step);
  return steps;
}

std::string AblationRun::name() const {
  if (role == "tuning") return cat(arm->name, ", tuning trial ", trial + 1);
  return cat(arm->name, role == "confirm" ? ", confirmed with seed " : ", seed ", seed);
}

std::string AblationRun::folder() const {
  return role == "tuning" ? cat(arm->name, ".tuning.", trial + 1) : cat(arm->name, ".", role, ".", seed);
}

std::vector<std::string> AblationRun::recipe_sets() const {
  return together(together(arm->recipe.sets, sets), budget_sets(seed, steps.steps));
}

std::vector<std::string> AblationRun::pretrain_sets() const {
  return together(arm->pretrain->sets, budget_sets(seed, steps.pretrain));
}

AblationRun plan_run(const AblationPlan& plan, const AblationArm& arm, const std::string& role,
                     std::int64_t trial, std::int64_t seed, const std::vector<std::string>& sets,
                     const StepCost& cost) {
  const std::int64_t budget = role == "tuning" ? plan.tuning_steps : plan.budget_steps;
  AblationRun run{.arm = &arm,
                  .role = role,
                  .trial = trial,
                  .seed = seed,
                  .sets = sets,
                  .steps = steps_of(arm, budget, cost),
                  .identity = {}};
  std::string all = text_of(arm.recipe, together(sets, budget_sets(seed, run.steps.steps)));
  if (arm.pretrain)
    all += text_of(*arm.pretrain, budget_sets(seed, run.steps.pretrain)) + joined(arm.carried) + "\n";
  all += joined(plan.splits);
  if (role == "confirm") {
    for (const NamedSource& split : plan.confirm_splits) all += cat("\n", split.name, "=", split.options.data);
  }
  run.identity = checksum(all);
  return run;
}

std::string cost_identity(const AblationPlan& plan, const AblationArm& arm) {
  const std::vector<std::string> budget = budget_sets(1, 1000);  // of no matter: a step costs the same
  std::string all = text_of(plan.arm(plan.baseline).recipe, budget) + text_of(arm.recipe, budget);
  if (arm.pretrain) all += text_of(*arm.pretrain, budget);
  return checksum(all);
}

}  // namespace duet
