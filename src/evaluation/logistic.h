// Logistic regression on frozen features, the linear probe: minimises what scikit-learn's LogisticRegression(C)
// does, C * sum of cross entropies + |weights|^2 / 2, the intercept free of penalty.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "evaluation/feature_scatter.h"
#include "evaluation/lbfgs.h"
#include "evaluation/linear_probe.h"

namespace duet {

// One data set, fitted for one C after the other: each fit starts where the last one ended.
class LogisticProblem {
 public:
  // features [N, F] fp32, read as they lie (few of them are kept in fp64 besides). Targets [N] int64 below
  // `classes` for a softmax, or [N, classes] of 0 and 1 for a sigmoid each (several labels an item). offset
  // [N, classes] is added to the logits and not learned: what a classifier of before says; may be undefined.
  LogisticProblem(const torch::Tensor& features, const torch::Tensor& targets, std::int64_t classes,
                  const torch::Tensor& offset = {});

  // To scikit-learn two classes are one sigmoid; its coefficients are weight[1] - weight[0].
  // tolerance: a bound of the relative error, mostly a wide one.
  LinearProbe fit(double c, double tolerance = 1e-4, int iterations = 1000);
  const LbfgsResult& last() const { return last_; }
  double mean_loss() const { return loss_ / static_cast<double>(features_.size(0)); }  // of the last fit

  // The next fit starts at what another one ended at.
  struct Start {
    torch::Tensor weight, bias;
  };
  Start end() const { return {weight_, bias_}; }
  void start_at(const Start& start) { std::tie(weight_, bias_) = std::tie(start.weight, start.bias); }

 private:
  // The loss of weight_ and bias_, and its gradients.
  double evaluate(torch::Tensor& by_weight, torch::Tensor& by_bias) const;

  std::int64_t classes_;
  torch::Tensor targets_;
  torch::Tensor rotation_;  // [F, R], orthonormal: of fewer items than features; undefined: R = F
  torch::Tensor features_;  // [N, R]
  torch::Tensor offset_;    // [N, C] or undefined
  torch::Tensor mean_;      // [R] fp64
  FeatureScatter scatter_;
  double curvature_;             // of a cross entropy along a logit, when the answers are the classes' shares
  torch::Tensor weight_, bias_;  // [C, R], [C] fp64, of centred features: the last fit
  double loss_ = 0;              // cross entropies of these
  LbfgsResult last_;
};

// Sum over items of the cross entropy; logits [N, C] become its gradient. Targets as above.
double logistic_loss(torch::Tensor& logits, const torch::Tensor& targets);

LinearProbe fit_logistic(const torch::Tensor& features, const torch::Tensor& targets, std::int64_t classes,
                         double c);

// The search of CLIP (Radford et al. 2021, appendix A.3): 1e-6, 1e-4, ... 1e6, then around the best one in
// steps that are halved down to 8 a decade. Judged on items held out; of equals the smaller C. It goes no
// further up than to where the items learned from are told apart for certain: from there on C hardly turns the
// weights.
struct ChosenC {
  double c = 1;
  Judgement judgement;
  std::vector<std::pair<double, Judgement>> tried = {};  // ascending
};
ChosenC choose_c(LogisticProblem& problem, const torch::Tensor& features, const torch::Tensor& targets,
                 const torch::Tensor& offset = {}, Criterion by = Criterion::accuracy);

}  // namespace duet
