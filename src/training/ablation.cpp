#include "training/ablation.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "report/text_table.h"
#include "training/ablation_statistics.h"
#include "training/ablation_table.h"
#include "training/objectives.h"
#include "training/signals.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What a run costs, in steps of the baseline.
double budget_of(const AblationPlan& plan, const AblationSlot& slot) {
  return static_cast<double>(slot.role == "tuning" ? plan.tuning_steps : plan.budget_steps);
}

struct Remaining {
  std::int64_t runs = 0;
  double budget = 0;  // in steps of the baseline
};

Remaining remaining(const AblationPlan& plan, const AblationResults& results,
                    const std::vector<AblationSlot>& slots) {
  Remaining left;
  for (const AblationSlot& slot : slots) {
    if (is_done(plan, results, slot)) continue;
    ++left.runs;
    left.budget += budget_of(plan, slot);
  }
  return left;
}

// "slip, seed 2: recall_at_1 0.466 (val 0.470, val_novel 0.462)"
std::string told(const AblationPlan& plan, const AblationRun& run, const AblationRow& row) {
  std::vector<std::string> splits;
  for (const std::string& split : plan.splits)
    splits.push_back(cat(split, " ", fixed(mean_of(values_of(plan.metric, row, split)), 3)));
  const std::string steps =
      run.steps.pretrain > 0 ? cat(run.steps.pretrain, "+", run.steps.steps) : cat(run.steps.steps);
  return cat(run.name(), ": ", steps, " steps, ", plan.metric, " ", fixed(score_of(plan, row), 3), " (",
             joined(splits), ")");
}

std::string cost_text(const std::optional<StepCost>& cost, bool is_pretrained) {
  if (!cost) return "not measured";
  return is_pretrained ? cat(fixed(cost->pretrain_step, 2), "+", fixed(cost->step, 2)) : fixed(cost->step, 2);
}

std::string memory_text(const MemoryRow* row) { return row ? human_bytes(row->peak_bytes) : "not measured"; }

std::string steps_text(const AblationArm& arm, std::int64_t budget, const std::optional<StepCost>& cost) {
  if (!cost) return "?";
  const ArmSteps steps = steps_of(arm, budget, *cost);
  return arm.pretrain ? cat(steps.pretrain, "+", steps.steps) : cat(steps.steps);
}

}  // namespace

std::vector<AblationSlot> slots_of(const AblationPlan& plan) {
  std::vector<AblationSlot> slots;
  for (std::size_t trial = 0; trial < plan.arms.front().trials.size(); ++trial) {
    for (const AblationArm& arm : plan.arms)
      slots.push_back(
          {.arm = &arm, .role = "tuning", .trial = static_cast<std::int64_t>(trial), .seed = plan.tuning_seed});
  }
  for (const std::int64_t seed : plan.seeds) {
    for (const AblationArm& arm : plan.arms) slots.push_back({.arm = &arm, .role = "final", .seed = seed});
  }
  return slots;
}

std::vector<AblationSlot> confirm_slots(const AblationPlan& plan, const std::string& winner) {
  std::vector<AblationSlot> slots;
  for (const std::int64_t seed : plan.confirm_seeds) {
    for (const std::string& arm :
         {winner, plan.baseline})  // the winner's row comes first: it says who was chosen
      slots.push_back({.arm = &plan.arm(arm), .role = "confirm", .seed = seed});
  }
  return slots;
}

std::optional<AblationRun> run_of(const AblationPlan& plan, const AblationResults& results,
                                  const AblationSlot& slot) {
  const std::optional<StepCost> cost = results.cost_of(*slot.arm);
  if (!cost) return std::nullopt;
  const auto sets =
      slot.role == "tuning" ? slot.arm->trials[static_cast<std::size_t>(slot.trial)] : results.tuned(*slot.arm);
  if (!sets) return std::nullopt;
  return plan_run(plan, *slot.arm, slot.role, slot.trial, slot.seed, *sets, *cost);
}

bool is_done(const AblationPlan& plan, const AblationResults& results, const AblationSlot& slot) {
  const std::optional<AblationRun> run = run_of(plan, results, slot);
  return run && results.find(*run) != nullptr;
}

void check_arms(const AblationPlan& plan) {
  for (const AblationArm& arm : plan.arms) {
    try {
      if (arm.pretrain) check_groups(arm.pretrain->resolve({}));
      check_groups(arm.recipe.resolve({}));
      for (const std::vector<std::string>& sets : arm.trials) check_groups(arm.recipe.resolve(sets));
    } catch (const Error& error) {
      throw Error(error.exit(), cat("arm '", arm.name, "': ", error.what()));
    }
  }
}

bool fill(const AblationPlan& plan, AblationResults& results, const std::vector<AblationSlot>& slots,
          const MakeRun& make_run, const AfterRow& after_row) {
  Remaining left = remaining(plan, results, slots);
  if (left.runs > 0) log_info(cat(left.runs, " of ", slots.size(), " runs to do"));
  const Clock::time_point start = Clock::now();
  double done = 0;
  for (const AblationSlot& slot : slots) {
    if (is_done(plan, results, slot)) continue;
    if (SignalWatch::received() != 0) return false;
    const AblationRun run = *run_of(plan, results, slot);
    const Clock::time_point run_start = Clock::now();
    std::optional<std::vector<SplitRanks>> scores = make_run(run);
    if (!scores) return false;
    results.add(run, std::move(*scores));
    after_row(run);
    done += budget_of(plan, slot);
    left.budget -= budget_of(plan, slot);
    --left.runs;
    const std::string rest = left.runs == 0 ? std::string()
                                            : cat("; ", left.runs, " to go, about ",
                                                  human_seconds(seconds_since(start) / done * left.budget));
    log_info(cat(told(plan, run, *results.find(run)), " in ", human_seconds(seconds_since(run_start)), rest));
  }
  return true;
}

std::string grid_text(const AblationPlan& plan, const AblationResults& results) {
  const std::vector<AblationSlot> slots = slots_of(plan);
  std::vector<std::vector<std::string>> rows = {
      {"arm", "step cost", "memory", "trials", "steps", "seeds", "steps", "runs there"}};
  for (const AblationArm& arm : plan.arms) {
    const std::optional<StepCost> cost = results.cost_of(arm);
    std::int64_t there = 0, all = 0;
    for (const AblationSlot& slot : slots) {
      if (slot.arm != &arm) continue;
      ++all;
      there += is_done(plan, results, slot);
    }
    rows.push_back({arm.name, cost_text(cost, arm.pretrain.has_value()), memory_text(results.find_memory(arm)),
                    cat(arm.trials.size()), arm.trials.empty() ? "-" : steps_text(arm, plan.tuning_steps, cost),
                    cat(plan.seeds.size()), steps_text(arm, plan.budget_steps, cost), cat(there, "/", all)});
  }
  const Remaining left = remaining(plan, results, slots);
  std::vector<double> seconds;
  for (const CostRow& row : results.costs()) seconds.push_back(row.baseline_seconds);
  std::string text = aligned(rows) + cat(left.runs, " of ", slots.size(), " runs to do");
  if (left.runs == 0) return text + "\n";
  if (seconds.empty()) return text + "; how long they take is known when a cost was measured\n";
  return text + cat(", about ", human_seconds(left.budget * mean_of(seconds)), " of training at ",
                    fixed(mean_of(seconds), 3), " s a step of ", plan.baseline, "\n");
}

}  // namespace duet
