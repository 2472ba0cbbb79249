#include "evaluation/ridge_classifier.h"

#include <ATen/ops/full.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace duet {
namespace {

constexpr std::int64_t kBlock = 8192;

// [N, C] fp64
torch::Tensor signs_of(const torch::Tensor& targets, std::int64_t classes) {
  if (targets.dim() == 2) return targets.to(torch::kDouble) * 2 - 1;
  return at::full({targets.size(0), classes}, -1, torch::kDouble).scatter_(1, targets.unsqueeze(1), 1);
}

double squared_error(const torch::Tensor& logits, const torch::Tensor& targets) {
  return (logits - signs_of(targets, logits.size(1))).square().mean().item<double>();
}

}  // namespace

RidgeProblem::RidgeProblem(const torch::Tensor& features, const torch::Tensor& targets, std::int64_t classes)
    : mean_(features.mean(0, false, torch::kDouble)) {
  const std::int64_t count = features.size(0), width = features.size(1);
  const auto signs = signs_of(targets, classes);
  target_mean_ = signs.mean(0);
  const auto centred_signs = signs - target_mean_;
  if (count < width) {
    const auto centred = features.to(torch::kDouble) - mean_;
    const auto [values, vectors] = at::linalg_eigh(centred.matmul(centred.t()));
    eigenvalues_ = values;
    basis_ = centred.t().matmul(vectors);
    moments_ = vectors.t().matmul(centred_signs);
  } else {
    auto scatter = at::zeros({width, width}, torch::kDouble),
         moments = at::zeros({width, classes}, torch::kDouble);
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
      const auto centred = features.slice(0, begin, begin + kBlock).to(torch::kDouble) - mean_;
      scatter.addmm_(centred.t(), centred);
      moments.addmm_(centred.t(), centred_signs.slice(0, begin, begin + kBlock));
    }
    std::tie(eigenvalues_, basis_) = at::linalg_eigh(scatter);
    moments_ = basis_.t().matmul(moments);
  }
  eigenvalues_.clamp_min_(0);  // rounding
  mean_eigenvalue_ = std::max(eigenvalues_.mean().item<double>(), 1e-30);
}

LinearProbe RidgeProblem::fit(double alpha) const {
  const auto weight = basis_.matmul(moments_ / (eigenvalues_ + alpha).unsqueeze(1)).t();
  return {weight.to(torch::kFloat).contiguous(), (target_mean_ - weight.mv(mean_)).to(torch::kFloat)};
}

ChosenAlpha choose_alpha(const RidgeProblem& problem, const torch::Tensor& features,
                         const torch::Tensor& targets) {
  ChosenAlpha chosen;
  for (int half = -12; half <= 6; ++half) {
    const double alpha = problem.mean_eigenvalue() * std::pow(10.0, half / 2.0);
    const auto logits = problem.fit(alpha).logits(features);
    const Judgement judgement{judge(logits, targets).accuracy, squared_error(logits, targets)};
    chosen.tried.emplace_back(alpha, judgement);
    if (!chosen.judgement.better_than(judgement)) {
      chosen.alpha = alpha;
      chosen.judgement = judgement;
    }
  }
  return chosen;
}

}  // namespace duet
