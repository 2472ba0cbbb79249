// Limited-memory BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithms 7.4 and 7.5). The line search looks
// for the Wolfe conditions; where differences of values are rounded away, it judges the decrease by slopes
// (Hager and Zhang 2005, equation 4.1).
#pragma once
#include <torch/types.h>

#include <functional>

namespace duet {

struct LbfgsOptions {
  int history = 10;
  int iterations = 1000;
  // Stops at |gradient| <= tolerance * |point|: of a function that curves by 1 or more everywhere, as a penalty
  // of |point|^2 / 2 sees to, this bounds the relative error of the point.
  double tolerance = 1e-5;
  // What the inverse Hessian is like before any step: gradient -> step. None: the identity.
  std::function<torch::Tensor(const torch::Tensor&)> inverse_hessian = {};
};

struct LbfgsResult {
  torch::Tensor point = {};
  double value = 0;
  int iterations = 0, evaluations = 0;
  bool converged = false;  // else the iterations were used up, or rounding lets nothing improve
};

// Value at `point` (1-d, fp64); its gradient is written into `gradient`, which has the same shape.
using SmoothFunction = std::function<double(const torch::Tensor& point, torch::Tensor& gradient)>;

LbfgsResult minimize(const SmoothFunction& function, const torch::Tensor& start,
                     const LbfgsOptions& options = {});

}  // namespace duet
