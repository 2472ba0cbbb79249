// The bootstrap over groups of items (Efron 1979; whole clusters are drawn, as Field and Welsh 2007 do), and
// what the scores of classification.h ask of their input.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "retrieval/metrics.h"

namespace duet {

// Items of a group are drawn together: [N] group of each item, numbered in order of first appearance.
struct Groups {
  std::vector<std::int32_t> of;
  std::int64_t count = 0;
};
Groups groups_of(const std::vector<std::string>& names);

// `measure` turns the times that each group is drawn into some statistics; of each of these all values over
// 2,000 resamples. Resamples are a function of their number and the number of groups alone: all scores see the
// same ones.
using Measure = std::function<std::vector<double>(const std::vector<std::int32_t>& times)>;
std::vector<std::vector<double>> resampled(std::int64_t groups, std::size_t statistics, const Measure& measure);
Interval percentile_interval(std::vector<double> values);  // 95 %

// Error(data) without items, Error(failed) for counts that do not fit and for logits that are not finite.
void check_scored(const torch::Tensor& logits, std::size_t labels, std::size_t classes, std::size_t groups);
void check_label(std::int64_t label, std::size_t item, std::size_t classes);  // Error(data)

}  // namespace duet
