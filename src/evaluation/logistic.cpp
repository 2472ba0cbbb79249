#include "evaluation/logistic.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace duet {
namespace {

// Products up to which a pass in fp64 costs nothing that is noticed.
constexpr std::int64_t kSmall = 20'000'000;
// Judging needs no more digits than these; the fit that is kept has those of LogisticProblem::fit.
constexpr double kSearchTolerance = 1e-2;
constexpr int kSearchIterations = 60;
constexpr double kCertain = 1e-3;  // mean cross entropy

bool is_softmax(const torch::Tensor& targets) { return targets.dim() == 1; }

constexpr int kLeast = -48, kMost = 48;  // eighths of a decade
double c_of(int eighths) { return std::pow(10.0, eighths / 8.0); }

// Mean over classes of p (1 - p), p being a class's share of the items.
double curvature_of(const torch::Tensor& targets, std::int64_t classes) {
  const auto shares = is_softmax(targets) ? targets.bincount({}, classes).to(torch::kDouble) / targets.size(0)
                                          : targets.to(torch::kDouble).mean(0);
  return std::max((shares * (1 - shares)).mean().item<double>(), 1e-9);
}

}  // namespace

double logistic_loss(torch::Tensor& logits, const torch::Tensor& targets) {
  if (!is_softmax(targets)) {
    const auto wanted = targets.to(logits.scalar_type());
    const double loss = (at::softplus(logits) - wanted * logits).sum(torch::kDouble).item<double>();
    logits.sigmoid_().sub_(wanted);
    return loss;
  }
  logits = at::log_softmax(logits, 1);
  const auto labels = targets.unsqueeze(1);
  const double loss = -logits.gather(1, labels).sum(torch::kDouble).item<double>();
  logits.exp_();
  logits.scatter_add_(1, labels, logits.new_full({1, 1}, -1).expand_as(labels));
  return loss;
}

LogisticProblem::LogisticProblem(const torch::Tensor& features, const torch::Tensor& targets,
                                 std::int64_t classes, const torch::Tensor& offset)
    : classes_(classes),
      targets_(targets),
      // The weights lie in the span of the items: with few of them its coordinates are the smaller problem, and
      // an orthonormal basis leaves the penalty as it is.
      rotation_(2 * features.size(0) <= features.size(1)
                    ? std::get<0>(at::linalg_qr(features.t().to(torch::kDouble)))
                    : torch::Tensor()),
      features_(rotation_.defined() ? features.to(torch::kDouble).matmul(rotation_) : features),
      mean_(features_.mean(0, false, torch::kDouble)),
      scatter_(features_, mean_),
      curvature_(curvature_of(targets, classes)),
      weight_(at::zeros({classes, features_.size(1)}, torch::kDouble)),
      bias_(at::zeros({classes}, torch::kDouble)) {
  const bool small = features_.numel() * classes <= kSmall;
  features_ = features_.to(small ? torch::kDouble : torch::kFloat);
  if (offset.defined()) offset_ = offset.to(features_.scalar_type());
}

double LogisticProblem::evaluate(torch::Tensor& by_weight, torch::Tensor& by_bias) const {
  const auto kind = features_.scalar_type();
  auto logits = at::addmm((bias_ - weight_.mv(mean_)).to(kind), features_, weight_.to(kind).t());
  if (offset_.defined()) logits += offset_;
  const double loss = logistic_loss(logits, targets_);
  by_bias.copy_(logits.sum(0, false, torch::kDouble));
  by_weight.copy_(logits.t().matmul(features_)).sub_(at::outer(by_bias, mean_));
  return loss;
}

LinearProbe LogisticProblem::fit(double c, double tolerance, int iterations) {
  // Two classes of softmax share what one sigmoid has alone: half the penalty of the difference.
  const double share = is_softmax(targets_) && classes_ == 2 ? c / 2 : c;
  scatter_.set(share * curvature_);
  // The intercepts are kept in a unit in which they curve as the weights do.
  const double unit = 1 / std::sqrt(share * curvature_ * static_cast<double>(features_.size(0)));
  const std::int64_t width = features_.size(1), weights = classes_ * width;
  const auto unpack = [&](const torch::Tensor& point) {
    weight_ = point.slice(0, 0, weights).view({classes_, width});
    bias_ = point.slice(0, weights) * unit;
  };
  const auto function = [&](const torch::Tensor& point, torch::Tensor& gradient) {
    unpack(point);
    auto by_weight = gradient.slice(0, 0, weights).view({classes_, width}),
         by_bias = gradient.slice(0, weights);
    const double loss = evaluate(by_weight, by_bias);
    by_bias.mul_(share * unit);
    by_weight.mul_(share).add_(weight_);
    return share * loss + 0.5 * weight_.square().sum().item<double>();
  };
  const auto inverse_hessian = [&](const torch::Tensor& gradient) {
    return at::cat({scatter_.solve(gradient.slice(0, 0, weights).view({classes_, width})).flatten(),
                    gradient.slice(0, weights)});
  };
  last_ = minimize(function, at::cat({weight_.flatten(), bias_ / unit}),
                   {.iterations = iterations, .tolerance = tolerance, .inverse_hessian = inverse_hessian});
  unpack(last_.point);
  loss_ = (last_.value - 0.5 * weight_.square().sum().item<double>()) / share;
  const auto weight = rotation_.defined() ? weight_.matmul(rotation_.t()) : weight_;
  return {weight.to(torch::kFloat), (bias_ - weight_.mv(mean_)).to(torch::kFloat)};
}

LinearProbe fit_logistic(const torch::Tensor& features, const torch::Tensor& targets, std::int64_t classes,
                         double c) {
  return LogisticProblem(features, targets, classes).fit(c);
}

ChosenC choose_c(LogisticProblem& problem, const torch::Tensor& features, const torch::Tensor& targets,
                 const torch::Tensor& offset, Criterion by) {
  struct Trial {
    Judgement judgement;
    LogisticProblem::Start end;
  };
  std::map<int, Trial> tried;  // by eighths of a decade, so that equal values of C are equal keys
  const auto try_one = [&](int eighths) {
    if (tried.contains(eighths)) return;
    const auto nearest = std::min_element(tried.begin(), tried.end(), [&](const auto& a, const auto& b) {
      return std::abs(a.first - eighths) < std::abs(b.first - eighths);
    });
    if (nearest != tried.end()) problem.start_at(nearest->second.end);
    const LinearProbe probe = problem.fit(c_of(eighths), kSearchTolerance, kSearchIterations);
    auto logits = probe.logits(features);
    if (offset.defined()) logits += offset;
    tried[eighths] = {judge(logits, targets), problem.end()};
  };
  const auto best = [&] {
    auto found = tried.begin();
    for (auto it = tried.begin(); it != tried.end(); ++it) {
      if (it->second.judgement.better_than(found->second.judgement, by)) found = it;
    }
    return found->first;
  };
  for (int eighths = kLeast; eighths <= kMost; eighths += 16) {
    try_one(eighths);
    if (problem.mean_loss() < kCertain) break;
  }
  const int most = tried.rbegin()->first;
  for (int step = 8; step >= 1; step /= 2) {
    const int peak = best();
    if (peak - step >= kLeast) try_one(peak - step);
    if (peak + step <= most) try_one(peak + step);
  }
  const int peak = best();
  problem.start_at(tried.at(peak).end);
  ChosenC chosen{.c = c_of(peak), .judgement = tried.at(peak).judgement};
  for (const auto& [eighths, trial] : tried) chosen.tried.emplace_back(c_of(eighths), trial.judgement);
  return chosen;
}

}  // namespace duet
