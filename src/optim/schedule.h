// The learning rate over a run, as a pure function of the step: linear warm-up, then constant, or down to a
// share of the top along a cosine (Loshchilov and Hutter 2017) or a line (BERT, word2vec.c).
#pragma once
#include <cstdint>
#include <string>

namespace duet {

struct ScheduleOptions {
  std::string kind = "cosine";  // cosine | linear | constant
  double warmup = 0.05;         // below 1: share of the run; else steps
  double lr_end = 0;            // cosine and line end at this share of the top
};

std::int64_t warmup_steps(const ScheduleOptions& options, std::int64_t steps);
// step 0..steps-1 -> share of the top learning rate. The first step has 1 / warm-up steps, the last warm-up
// step has 1.
double lr_share(const ScheduleOptions& options, std::int64_t step, std::int64_t steps);

}  // namespace duet
