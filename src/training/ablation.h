// The grid of an ablation: which runs there are, in which order, and the loop over those that are missing.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "training/ablation_results.h"

namespace duet {

// A run whose assignments and steps may not be known yet.
struct AblationSlot {
  const AblationArm* arm = nullptr;
  std::string role;
  std::int64_t trial = -1, seed = 0;
};

// Tuning trials, trial by trial; then seed by seed all arms, so that a table of some seeds compares all of
// them.
std::vector<AblationSlot> slots_of(const AblationPlan& plan);
// The winner and the baseline on the fresh seeds.
std::vector<AblationSlot> confirm_slots(const AblationPlan& plan, const std::string& winner);

// Nothing while the arm's cost, or a trial that its assignments depend on, is missing.
std::optional<AblationRun> run_of(const AblationPlan& plan, const AblationResults& results,
                                  const AblationSlot& slot);
bool is_done(const AblationPlan& plan, const AblationResults& results, const AblationSlot& slot);

// Refuses, before any data is read, groups of parameters that would stop a run before its first step, of every
// arm with each of its trials; reading the plan refused the rest. Error(usage) with the arm's name before.
void check_arms(const AblationPlan& plan);

// Nothing: stopped by a signal.
using MakeRun = std::function<std::optional<std::vector<SplitRanks>>(const AblationRun& run)>;
using AfterRow = std::function<void(const AblationRun& run)>;

// Makes the runs that have no row, a row each as soon as it is there, and tells how far it is. The costs are
// known. Whether all of them are there now; else a signal stopped it.
bool fill(const AblationPlan& plan, AblationResults& results, const std::vector<AblationSlot>& slots,
          const MakeRun& make_run, const AfterRow& after_row);

// Arms, steps and how many of their runs there are: what is about to be done, and how long it takes where a
// cost was measured.
std::string grid_text(const AblationPlan& plan, const AblationResults& results);

}  // namespace duet
