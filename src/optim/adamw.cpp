#include "optim/adamw.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

// One call of the kernel: parameters that share learning rate and decay.
struct FusedCall {
  std::vector<torch::Tensor> values, gradients, exp_avgs, exp_avg_sqs, steps;
};

// Autograd keeps gradients in their parameter's strides, but a gradient set by hand may be laid out otherwise.
torch::Tensor gradient_in_layout_of(const torch::Tensor& parameter) {
  const torch::Tensor& gradient = parameter.grad();
  if (gradient.strides() == parameter.strides()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

void check_layout(const ParameterPlan& plan, const torch::Tensor& moment) {
  TORCH_CHECK(moment.strides() == plan.value.strides(), "moments of ", plan.name, " have strides ",
              moment.strides(), ", the parameter has ", plan.value.strides());
}

}  // namespace

AdamW::AdamW(std::vector<ParameterPlan> plans, const AdamWOptions& options)
    : plans_(std::move(plans)), moments_(plans_.size()), options_(options) {
  for (const ParameterPlan& plan : plans_) {
    TORCH_CHECK(plan.value.is_non_overlapping_and_dense(), plan.name,
                " is not dense: the fused step walks raw storage");
  }
}

AdamW::Moments AdamW::make_moments(const torch::Tensor& parameter) {
  const auto options = torch::TensorOptions().dtype(torch::kFloat).device(parameter.device());
  // zeros_like keeps the strides of a dense tensor, channels_last included.
  return {at::zeros_like(parameter.detach()), at::zeros_like(parameter.detach()), at::zeros({}, options)};
}

void AdamW::step(double share) {
  torch::NoGradGuard no_grad;
  std::map<std::pair<double, double>, FusedCall> calls;  // by (lr_scale, weight_decay)
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    const ParameterPlan& plan = plans_[i];
    if (plan.frozen || !plan.value.grad().defined()) continue;
    Moments& moments = moments_[i];
    if (!moments.step.defined()) moments = make_moments(plan.value);
    check_layout(plan, moments.exp_avg);
    check_layout(plan, moments.exp_avg_sq);
    FusedCall& call = calls[{plan.lr_scale, plan.weight_decay}];
    call.values.push_back(plan.value);
    call.gradients.push_back(gradient_in_layout_of(plan.value));
    call.exp_avgs.push_back(moments.exp_avg);
    call.exp_avg_sqs.push_back(moments.exp_avg_sq);
    call.steps.push_back(moments.step);
  }
  for (auto& [scale_and_decay, call] : calls) {
    at::_foreach_add_(call.steps,
                      1);  // the kernel reads the steps for its bias correction but does not count them
    at::_fused_adamw_(call.values, call.gradients, call.exp_avgs, call.exp_avg_sqs, {}, call.steps,
                      options_.lr * share * scale_and_decay.first, options_.beta1, options_.beta2,
                      scale_and_decay.second, options_.eps, /*amsgrad=*/false, /*maximize=*/false);
  }
}

void AdamW::zero_grad() {
  for (ParameterPlan& plan : plans_) plan.value.mutable_grad().reset();
}

std::vector<torch::Tensor> AdamW::trainable() const {
  std::vector<torch::Tensor> parameters;
  for (const ParameterPlan& plan : plans_) {
    if (!plan.frozen) parameters.push_back(plan.value);
  }
  return parameters;
}

TensorMap AdamW::state() const {
  TensorMap state;
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    if (!moments_[i].step.defined()) continue;
    state[plans_[i].name + ".exp_avg"] = moments_[i].exp_avg;
    state[plans_[i].name + ".exp_avg_sq"] = moments_[i].exp_avg_sq;
    state[plans_[i].name + ".step"] = moments_[i].step;
  }
  return state;
}

void AdamW::load_state(const TensorMap& state) {
  torch::NoGradGuard no_grad;
  std::vector<Moments> loaded(plans_.size());
  TensorMap target;
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    const ParameterPlan& plan = plans_[i];
    if (!state.contains(plan.name + ".step")) continue;
    loaded[i] = make_moments(plan.value);
    target[plan.name + ".exp_avg"] = loaded[i].exp_avg;
    target[plan.name + ".exp_avg_sq"] = loaded[i].exp_avg_sq;
    target[plan.name + ".step"] = loaded[i].step;
  }
  copy_into(target, state, "the optimiser's state");
  moments_ = std::move(loaded);
}

torch::Tensor clip_gradients(const std::vector<torch::Tensor>& parameters, double max_norm) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return at::zeros({}, torch::kFloat);
  torch::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)));
  if (max_norm > 0) at::_foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp_max(1));
  return norm;
}

}  // namespace duet
