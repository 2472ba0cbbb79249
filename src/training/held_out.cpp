#include "training/held_out.h"

#include <algorithm>
#include <numeric>

#include "core/random.h"
#include "datasets/loader.h"

namespace duet {
namespace {

constexpr std::int64_t kMost = 2048;  // pairs: what an evaluation costs does not grow with the split

}  // namespace

HeldOutBatches held_out_batches(const HeldOutSetting& setting, const Source& split) {
  const torch::NoGradGuard no_grad;
  const Recipe& recipe = *setting.recipe;
  const std::int64_t rows = std::min(kMost, static_cast<std::int64_t>(split.pairs.size()));
  if (rows < 2) return {};
  const std::int64_t wanted =
      setting.batches > 0 ? std::max<std::int64_t>(2, rows / setting.batches) : recipe.train.batch;
  const std::int64_t size = std::min({wanted, recipe.train.batch, rows}), batches = rows / size;
  const RowsOfStep consecutive = [size](std::int64_t step) {
    std::vector<std::int64_t> of_step(static_cast<std::size_t>(size));
    std::iota(of_step.begin(), of_step.end(), step * size);
    return of_step;
  };
  std::vector<std::size_t> judged;  // of the objectives
  bool follows = false;
  for (std::size_t i = 0; i < recipe.objectives.size(); ++i) {
    const ObjectiveSpec& spec = recipe.objectives[i];
    if (spec.source != setting.source || spec.weight(setting.info) == 0) continue;
    judged.push_back(i);
    follows |= spec.needs.follows;
  }
  if (judged.empty()) return {};
  Loader loader({.source = &split,
                 .tokenizer = setting.tokenizer,
                 .text_format = recipe.model.text.format,
                 .captions = recipe.data.captions,
                 .views = recipe.views,
                 .preprocessing = recipe.preprocessing,
                 .cache = nullptr,
                 .follows = follows},
                recipe.data.loader, consecutive, 0, batches);
  HeldOutBatches values;
  for (std::int64_t step = 0; step < batches; ++step) {
    Compute compute = setting.compute;
    compute.seed = seed_of(recipe.seed, "held out", step);
    EncodedBatch batch(*setting.model, loader.next(), compute);
    for (const std::size_t i : judged) {
      const ObjectiveSpec& spec = recipe.objectives[i];
      Objective& objective = *(*setting.objectives)[i];
      objective.eval();
      torch::manual_seed(seed_of(recipe.seed, "held out", step, spec.name));
      const LossTerms terms = objective.compute(batch, setting.info);
      auto& of_objective = values[spec.name];
      of_objective["loss"].push_back(terms.loss.item<double>());
      for (const auto& [name, value] : terms.metrics) of_objective[name].push_back(value.item<double>());
      objective.train();
    }
  }
  return values;
}

HeldOutMetrics held_out_metrics(const HeldOutSetting& setting, const Source& split) {
  HeldOutMetrics means;
  for (const auto& [objective, metrics] : held_out_batches(setting, split)) {
    for (const auto& [name, values] : metrics)
      means[objective][name] =
          std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
  return means;
}

double total_loss(const HeldOutSetting& setting, const HeldOutMetrics& metrics) {
  double total = 0;
  for (const ObjectiveSpec& spec : setting.recipe->objectives) {
    if (const auto found = metrics.find(spec.name); found != metrics.end())
      total += spec.weight(setting.info) * found->second.at("loss");
  }
  return total;
}

}  // namespace duet
