// How features scatter around their mean: what the Hessian of a penalised linear model is like, so that L-BFGS
// needs few steps however correlated the features are.
#pragma once
#include <torch/types.h>

namespace duet {

class FeatureScatter {
 public:
  // features [N, R], read a block at a time; mean [R] fp64. Beyond 4,096 features their variances alone are
  // kept.
  FeatureScatter(const torch::Tensor& features, const torch::Tensor& mean);
  // Of share * X^T X + 1, X being the features less their mean: rows [C, R] fp64 times its inverse.
  void set(double share);
  torch::Tensor solve(const torch::Tensor& rows) const;

 private:
  torch::Tensor scatter_;  // [R, R], or [R] of many features
  torch::Tensor root_;     // lower triangular, or [R]: of the last set()
};

}  // namespace duet
