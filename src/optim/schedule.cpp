#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace duet {

std::int64_t warmup_steps(const ScheduleOptions& options, std::int64_t steps) {
  const double wanted = options.warmup < 1 ? options.warmup * static_cast<double>(steps) : options.warmup;
  return std::llround(wanted);
}

double lr_share(const ScheduleOptions& options, std::int64_t step, std::int64_t steps) {
  const std::int64_t warmup = warmup_steps(options, steps);
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (options.kind == "constant") return 1;
  const auto done = static_cast<double>(step - warmup),
             all = static_cast<double>(std::max<std::int64_t>(1, steps - warmup));
  const double passed = std::min(1.0, done / all);
  const double left = options.kind == "linear" ? 1 - passed : 0.5 * (1 + std::cos(std::numbers::pi * passed));
  return options.lr_end + (1 - options.lr_end) * left;
}

}  // namespace duet
