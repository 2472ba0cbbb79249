#include "training/ablation_memory.h"

#include <algorithm>
#include <csignal>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "training/ablation_process.h"
#include "training/signals.h"

namespace duet {
namespace {

// As many steps as let an objective of the last twentieth of a run be seen.
constexpr int kSteps = 20;

// Nothing: stopped by a signal.
std::optional<std::uint64_t> peak_of(const AblationArm& arm, const AblationRecipe& recipe,
                                     const RunnerSetting& setting) {
  const fs::path out = setting.runs / cat(arm.name, ".memory");
  fs::remove_all(out);
  std::vector<std::string> what = {recipe.file.string(), "--out", out.string()};
  for (const std::string& assignment : recipe.sets) what.insert(what.end(), {"--set", assignment});
  what.insert(what.end(), {"--set", cat("train.steps=", kSteps), "--set", "train.evaluations=1"});
  const std::vector<std::string> words = train_words(setting, what);
  const Ended ended = run_program(words);
  if (SignalWatch::received() != 0 || ended.code == 128 + SIGINT || ended.code == 128 + SIGTERM)
    return std::nullopt;
  if (ended.code != 0) fail_training(cat(arm.name, ", memory"), ended.code, words);
  fs::remove_all(out);
  return ended.peak_bytes;
}

}  // namespace

void measure_memory(const AblationPlan& plan, AblationResults& results, const RunnerSetting& setting) {
  for (const AblationArm& arm : plan.arms) {
    if (results.find_memory(arm) != nullptr) continue;
    if (SignalWatch::received() != 0) return;
    std::optional<std::uint64_t> peak = peak_of(arm, arm.recipe, setting);
    if (peak && arm.pretrain) {
      const std::optional<std::uint64_t> before = peak_of(arm, *arm.pretrain, setting);
      peak = before ? std::optional(std::max(*peak, *before)) : std::nullopt;
    }
    if (!peak) return;
    log_info(cat(arm.name, ": ", human_bytes(*peak), " of memory"));
    results.add_memory({.arm = arm.name, .peak_bytes = *peak, .identity = cost_identity(plan, arm)});
  }
}

}  // namespace duet
