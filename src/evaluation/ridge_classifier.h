// Ridge regression to targets of +1 (the class) and -1 (all others), in closed form: the few-shot probe of
// big_vision, and scikit-learn's RidgeClassifier(alpha).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "evaluation/linear_probe.h"

namespace duet {

// One eigendecomposition, of F x F or N x N, whichever is smaller; then every alpha costs a multiplication.
class RidgeProblem {
 public:
  // features [N, F] fp32. Targets [N] int64 below `classes`, or [N, classes] of 0 and 1 (several labels an
  // item): a column is a problem of its own in either case.
  RidgeProblem(const torch::Tensor& features, const torch::Tensor& targets, std::int64_t classes);

  // Minimises squared errors + alpha |weights|^2; the intercept is free of penalty.
  LinearProbe fit(double alpha) const;
  double mean_eigenvalue() const { return mean_eigenvalue_; }  // the scale of alpha

 private:
  torch::Tensor mean_, target_mean_;     // [F], [C] fp64
  torch::Tensor basis_;                  // [F, R] fp64: weight = basis * (moments / (eigenvalues + alpha))
  torch::Tensor eigenvalues_, moments_;  // [R], [R, C] fp64
  double mean_eigenvalue_ = 0;
};

// The best of 1e-6, ..., 1e3 times the mean eigenvalue, two a decade, on items held out (loss: mean squared
// error); of equals the largest.
struct ChosenAlpha {
  double alpha = 1;
  Judgement judgement;
  std::vector<std::pair<double, Judgement>> tried = {};  // ascending
};
ChosenAlpha choose_alpha(const RidgeProblem& problem, const torch::Tensor& features,
                         const torch::Tensor& targets);

}  // namespace duet
