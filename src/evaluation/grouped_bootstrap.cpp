#include "evaluation/grouped_bootstrap.h"

#include <ATen/Parallel.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {
namespace {

constexpr std::int64_t kResamples = 2000;
constexpr std::uint64_t kSeed = 1;

// How often each group is drawn in one resample: a function of its number alone, so that all scores see the
// same resamples, on any number of threads.
void draw(std::int64_t resample, std::vector<std::int32_t>& times) {
  Random random(seed_of(kSeed, "grouped bootstrap", resample));
  std::fill(times.begin(), times.end(), 0);
  for (std::size_t i = 0; i < times.size(); ++i) ++times[random.below(times.size())];
}

}  // namespace

Groups groups_of(const std::vector<std::string>& names) {
  Groups groups;
  std::unordered_map<std::string_view, std::int32_t> numbers;
  for (const std::string& name : names)
    groups.of.push_back(numbers.try_emplace(name, static_cast<std::int32_t>(numbers.size())).first->second);
  groups.count = static_cast<std::int64_t>(numbers.size());
  return groups;
}

std::vector<std::vector<double>> resampled(std::int64_t groups, std::size_t statistics,
                                           const Measure& measure) {
  std::vector<std::vector<double>> values(statistics,
                                          std::vector<double>(static_cast<std::size_t>(kResamples)));
  at::parallel_for(0, kResamples, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> times(static_cast<std::size_t>(groups));
    for (std::int64_t resample = begin; resample < end; ++resample) {
      draw(resample, times);
      const std::vector<double> one = measure(times);
      for (std::size_t s = 0; s < statistics; ++s) values[s][static_cast<std::size_t>(resample)] = one[s];
    }
  });
  return values;
}

Interval percentile_interval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(.025), at(.975)};
}

void check_scored(const torch::Tensor& logits, std::size_t labels, std::size_t classes, std::size_t groups) {
  TORCH_CHECK(logits.dim() == 2 && logits.scalar_type() == torch::kFloat32);
  if (logits.size(0) == 0) fail(Exit::data, "classification", "has no items to score");
  if (static_cast<std::int64_t>(classes) != logits.size(1) ||
      static_cast<std::int64_t>(labels) != logits.size(0) ||
      static_cast<std::int64_t>(groups) != logits.size(0)) {
    fail(Exit::failed, "classification",
         cat("of ", logits.size(0), " items and ", logits.size(1), " classes has ", labels, " labels, ", groups,
             " groups and ", classes, " names"));
  }
  if (!logits.isfinite().all().item<bool>())
    fail(Exit::failed, "classification", "got a score that is not finite", "the model has diverged");
}

void check_label(std::int64_t label, std::size_t item, std::size_t classes) {
  if (label >= 0 && label < static_cast<std::int64_t>(classes)) return;
  fail(Exit::data, cat("item ", item + 1), cat("has label ", label), cat("there are ", classes, " classes"));
}

}  // namespace duet
