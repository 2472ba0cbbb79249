#include "adaptation/methods/linear_input.h"

#include <ATen/ops/cat.h>

#include <utility>

namespace duet {

LinearInput::LinearInput(std::string name, const Part& support) : name_(std::move(name)) {
  const auto features = input_of(support, name_);
  mean_ = features.mean(0);
  const auto deviation = (features - mean_).square().mean(0).sqrt();
  // What hardly moves among a few items may move a lot among others: it is not blown up.
  scale_ = 1 / (deviation + 0.01 * deviation.mean() + 1e-12);
}

torch::Tensor LinearInput::of(const Part& items) const { return (input_of(items, name_) - mean_) * scale_; }

LinearMap LinearInput::folded(const LinearProbe& probe) const {
  const auto weight = probe.weight * scale_;
  return {.weight = weight, .bias = probe.bias - weight.mv(mean_), .input = name_};
}

std::vector<LinearInput> linear_inputs(const Part& support) {
  std::vector<LinearInput> inputs = {{"tower", support}};
  if (!support.rows.defined()) return inputs;
  inputs.emplace_back("rows", support);
  inputs.emplace_back("both", support);
  return inputs;
}

Part joined(const Part& support, const Part& validation) {
  Part both = support;
  both.items.insert(both.items.end(), validation.items.begin(), validation.items.end());
  both.tower = at::cat({support.tower, validation.tower});
  if (support.rows.defined()) both.rows = at::cat({support.rows, validation.rows});
  both.labels = at::cat({support.labels, validation.labels});
  return both;
}

}  // namespace duet
