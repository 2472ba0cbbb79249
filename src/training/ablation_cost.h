// What a step of an arm costs, the baseline's being 1: measured once, alone on the machine.
#pragma once
#include "tensors/device.h"
#include "training/ablation_results.h"

namespace duet {

struct CostSetting {
  std::string root;  // of pictures
  torch::Device device{torch::kCPU};
  int threads = 1;
};

// For every arm whose cost is not known yet: steps of the baseline's recipe and of the arm's by turns, some
// rounds, the median of their ratios; a row each. The whole run counts, objectives that begin later and stages
// too; evaluations do not, they are the same for all. A signal ends it between two arms.
void measure_costs(const AblationPlan& plan, AblationResults& results, const CostSetting& setting);

}  // namespace duet
