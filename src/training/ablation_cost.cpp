#include "training/ablation_cost.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "training/run_tokenizer.h"
#include "training/signals.h"
#include "training/trainer.h"

namespace duet {
namespace {

constexpr int kRounds = 5;

std::unique_ptr<Trainer> make_trainer(const AblationRecipe& from, const CostSetting& setting) {
  // A run long enough for every part of it to be looked at.
  const Recipe recipe = from.resolve({"train.steps=1000"});
  TrainingData data = read_training_data(recipe, setting.root);
  data.validation.clear();
  const std::optional<Tokenizer> tokenizer = make_tokenizer(recipe, data);
  return std::make_unique<Trainer>(recipe, std::move(data), tokenizer, "", setting.device, setting.threads);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Alone on a machine, rounds agree within some percent.
void warn_unequal(const AblationArm& arm, const std::vector<double>& ratios) {
  constexpr double kBusy = 1.25;
  if (ratios.empty()) return;
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  if (*high < kBusy * *low) return;
  log_warning(
      cat("arm '", arm.name, "': rounds of its cost differ, from ", fixed(*low, 2), " to ", fixed(*high, 2),
          ": are other programs running? On a quiet machine take its cost row out and measure again, before "
          "its other rows are run"));
}

// The machine's pace drifts: each round looks at all of them, and the ratios are of one round.
CostRow measure(const AblationPlan& plan, const AblationArm& arm, Trainer& baseline,
                const CostSetting& setting) {
  const auto trainer = arm.cost ? nullptr : make_trainer(arm.recipe, setting);
  const auto pretrainer = arm.pretrain && !arm.pretrain_cost ? make_trainer(*arm.pretrain, setting) : nullptr;
  std::vector<double> seconds, ratios, pretrain_ratios;
  for (int round = 0; round < kRounds; ++round) {
    seconds.push_back(baseline.rehearse().seconds_per_step);
    if (trainer) ratios.push_back(trainer->rehearse().seconds_per_step / seconds.back());
    if (pretrainer) pretrain_ratios.push_back(pretrainer->rehearse().seconds_per_step / seconds.back());
  }
  warn_unequal(arm, ratios);
  warn_unequal(arm, pretrain_ratios);
  CostRow row{
      .arm = arm.name, .cost = {}, .baseline_seconds = median(seconds), .identity = cost_identity(plan, arm)};
  row.cost.step = trainer ? median(ratios) : *arm.cost;
  if (arm.pretrain) row.cost.pretrain_step = pretrainer ? median(pretrain_ratios) : *arm.pretrain_cost;
  return row;
}

}  // namespace

void measure_costs(const AblationPlan& plan, AblationResults& results, const CostSetting& setting) {
  std::unique_ptr<Trainer> baseline;
  for (const AblationArm& arm : plan.arms) {
    if (results.cost_of(arm)) continue;
    if (SignalWatch::received() != 0) return;
    try {
      if (!baseline) baseline = make_trainer(plan.arm(plan.baseline).recipe, setting);
      CostRow row = measure(plan, arm, *baseline, setting);
      log_info(cat(arm.name, ": a step costs ", fixed(row.cost.step, 3), " of ", plan.baseline, "'s",
                   arm.pretrain ? cat(", one of pretraining ", fixed(row.cost.pretrain_step, 3)) : ""));
      results.add_cost(std::move(row));
    } catch (const Error& error) {
      throw Error(error.exit(), cat("arm '", arm.name, "': ", error.what()));
    }
  }
}

}  // namespace duet
