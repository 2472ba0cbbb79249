// The [train] keys of optimisation, read and checked in one place.
#pragma once
#include <vector>

#include "core/config.h"
#include "optim/adamw.h"
#include "optim/ema.h"
#include "optim/groups.h"
#include "optim/schedule.h"

namespace duet {

struct OptimizerOptions {
  AdamWOptions adamw;
  ScheduleOptions schedule;
  double clip = 1;  // largest norm of all gradients together; 0: no clipping
  double ema = 0;   // decay of the weight average; 0: none
  std::vector<GroupRule> groups;
};

// [train] lr, weight_decay, betas = [b1, b2], eps, clip, warmup (steps, or a share of the run when below 1),
// schedule = "cosine" | "constant", lr_end, ema, and the [[train.group]] tables. Error(usage) with the key's
// place.
OptimizerOptions read_optimizer(Config& train);

}  // namespace duet
