#include "adaptation/methods/feature_training.h"

#include <torch/csrc/autograd/autograd.h>

#include <numeric>

#include "core/random.h"
#include "losses/functional.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

namespace duet {
namespace {

constexpr std::int64_t kVerdicts = 40;  // most of a training: one costs as much as a step

torch::Tensor shuffled(std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Random(seed).shuffle(std::span(order));
  return torch::tensor(order);
}

AdamW optimizer_of(const std::vector<torch::Tensor>& parameters, const FeatureTraining& options) {
  std::vector<ParameterPlan> plans;
  for (const torch::Tensor& parameter : parameters)
    plans.push_back(
        {.name = std::to_string(plans.size()), .value = parameter, .weight_decay = options.weight_decay});
  return {std::move(plans), {.lr = options.lr, .beta1 = .9, .beta2 = .999, .eps = options.eps}};
}

std::vector<torch::Tensor> copies_of(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> copies;
  for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.detach().clone());
  return copies;
}

}  // namespace

void set_gradients(const torch::Tensor& loss, const std::vector<torch::Tensor>& parameters) {
  const auto gradients = torch::autograd::grad({loss}, parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    torch::Tensor(parameters[i]).mutable_grad() = gradients[i].contiguous();
}

BestEpoch train_on_features(const std::vector<torch::Tensor>& parameters, const FeatureTraining& options,
                            const Examples& support, const Examples& validation, std::uint64_t seed,
                            const std::function<torch::Tensor(const torch::Tensor& rows)>& logits) {
  const auto verdict = [&] {
    const torch::NoGradGuard no_grad;
    return judged(logits(validation.rows), validation.labels);
  };
  for (torch::Tensor parameter : parameters) parameter.set_requires_grad(true);
  AdamW optimizer = optimizer_of(parameters, options);
  BestEpoch best{.epoch = 0, .verdict = verdict()};
  std::vector<torch::Tensor> values = copies_of(parameters);
  const ScheduleOptions schedule{.warmup = 0};
  const std::int64_t count = support.rows.size(0);
  const std::int64_t batches = (count + options.batch - 1) / options.batch, steps = options.epochs * batches;
  const std::int64_t every = (options.epochs + kVerdicts - 1) / kVerdicts;
  std::int64_t step = 0;
  for (std::int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const auto order = shuffled(count, seed_of(seed, "order", epoch));
    for (const torch::Tensor& part : order.split(options.batch)) {
      const auto loss =
          class_cross_entropy(logits(support.rows.index_select(0, part)), support.labels.index_select(0, part));
      set_gradients(loss, parameters);
      optimizer.step(lr_share(schedule, step++, steps));
    }
    if (epoch % every != 0 && epoch != options.epochs) continue;
    const Verdict now = verdict();
    if (!now.better_than(best.verdict)) continue;
    best = {.epoch = epoch, .verdict = now};
    values = copies_of(parameters);
  }
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    torch::Tensor parameter = parameters[i];
    parameter.copy_(values[i]);
    parameter.mutable_grad().reset();
    parameter.set_requires_grad(false);
  }
  return best;
}

}  // namespace duet
