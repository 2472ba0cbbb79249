// What the linear methods read of the items: one of the inputs of a linear map, standardised by the support's
// mean and deviation, which are folded into the map in the end.
#pragma once
#include <torch/types.h>

#include <string>
#include <vector>

#include "adaptation/classifiers.h"
#include "evaluation/linear_probe.h"

namespace duet {

class LinearInput {
 public:
  LinearInput(std::string name, const Part& support);  // tower | rows | both
  const std::string& name() const { return name_; }
  torch::Tensor of(const Part& items) const;         // [n, width]
  LinearMap folded(const LinearProbe& probe) const;  // the same logits, of the plain input

 private:
  std::string name_;
  torch::Tensor mean_, scale_;  // [width]
};

// The inputs that the items have, the simplest first: of equals the first is taken.
std::vector<LinearInput> linear_inputs(const Part& support);

// Both parts' items: what a setting that was chosen is fitted to.
Part joined(const Part& support, const Part& validation);

}  // namespace duet
