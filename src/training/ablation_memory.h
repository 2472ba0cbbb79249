// How much memory an arm of an ablation takes.
#pragma once
#include "training/ablation_runner.h"

namespace duet {

// For every arm whose peak is not known yet: a short run of duet train in a process of its own, whose most
// memory counts; a row each. Of an arm that is pretrained, the larger of its two trainings. This process's own
// memory is the least that can be told: call it before anything is loaded. A signal ends it between two arms.
void measure_memory(const AblationPlan& plan, AblationResults& results, const RunnerSetting& setting);

}  // namespace duet
