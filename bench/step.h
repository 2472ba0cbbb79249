// One training step of a recipe as the trainer does it, without checkpoints and evaluations: for the
// benchmarks.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "losses/statistics.h"
#include "optim/optimizer.h"
#include "run/recipe.h"
#include "tensors/device.h"
#include "training/objectives.h"

namespace duet {

class Step {
 public:
  Step(const Recipe& recipe, const CorpusStatistics& statistics, Precision precision)
      : recipe_(recipe), precision_(precision) {
    model_ = std::make_shared<Model>(recipe.model, statistics.counts.numel(), recipe.seed);
    model_->prepare_for_corpus(statistics.counts > 0, statistics.idf());
    teachers_.emplace(*model_);
    objectives_ = make_objectives(recipe, *model_, *teachers_, {{"pairs", {.statistics = statistics}}});
    const OptimizerOptions& options = recipe.train.optimizer;
    const NamedTensors parameters = named_parameters(recipe, *model_, objectives_);
    optimizer_ = std::make_unique<AdamW>(
        plan_parameters(parameters, options.groups, options.adamw.weight_decay), options.adamw);
    if (options.ema > 0) average_ = std::make_unique<Ema>(parameters, options.ema);
    for (const ObjectiveSpec& objective : recipe.objectives) keep_tokens_ |= objective.needs.tokens;
    set_training_mode(*model_);
  }

  void operator()(const Batch& batch) {
    EncodedBatch encoded(*model_, batch, {.precision = precision_, .keep_tokens = keep_tokens_});
    torch::Tensor loss = torch::zeros({});
    for (const auto& objective : objectives_)
      loss = loss + objective->compute(encoded, {.step = 1, .steps = kSteps}).loss;
    optimizer_->zero_grad();
    loss.backward();
    clip_gradients(optimizer_->trainable(), recipe_.train.optimizer.clip);
    optimizer_->step(1e-3);
    model_->clamp_logit_scales();
    if (average_) average_->update(1);
    teachers_->update(1e-3);
    for (const auto& objective : objectives_) objective->after_step({.step = 1, .steps = kSteps});
  }

  Model& model() { return *model_; }

 private:
  static constexpr std::int64_t kSteps = 1000;
  Recipe recipe_;
  Precision precision_;
  std::shared_ptr<Model> model_;
  std::optional<Teachers> teachers_;
  std::vector<std::shared_ptr<Objective>> objectives_;
  std::unique_ptr<AdamW> optimizer_;
  std::unique_ptr<Ema> average_;
  bool keep_tokens_ = false;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// main() of a benchmark: usage without a recipe, one line for an error.
inline int run_bench(int argc, char** argv, const char* usage, void (*run)(int, char**)) {
  if (argc < 2) {
    std::fprintf(stderr, "%s\n", usage);
    return 2;
  }
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}

}  // namespace duet
