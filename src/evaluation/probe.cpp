#include "evaluation/probe.h"

#include <ATen/ops/cat.h>

#include <optional>

#include "core/error.h"
#include "core/format.h"
#include "evaluation/knn.h"
#include "evaluation/logistic.h"
#include "evaluation/ridge_classifier.h"
#include "evaluation/zero_shot.h"

namespace duet {
namespace {

// One kind of features of all three parts.
struct Parts {
  std::string input;
  torch::Tensor train, validation;
  torch::Tensor train_targets, validation_targets;
  torch::Tensor all() const { return torch::cat({train, validation}); }
  torch::Tensor all_targets() const { return torch::cat({train_targets, validation_targets}); }
};

// A classifier whose setting is chosen, and that is not yet fitted to both parts.
struct Candidate {
  Parts parts;
  std::string setting;  // its name
  double value = 0;
  Judgement judgement;
  torch::Tensor validation_logits;  // of what train alone taught
};

Candidate choose_knn(const Parts& parts, const ProbeOptions& options) {
  const std::int64_t items = parts.train.size(0);
  if (options.k > items)
    fail(Exit::usage, "-k", cat(options.k, " neighbours of ", items, " items to learn from"),
         cat("at most ", items));
  const auto logits_of = [&](std::int64_t k) {
    return knn_logits(nearest_neighbours(parts.train, parts.validation, k), parts.train_targets,
                      options.classes, k);
  };
  std::int64_t k = options.k;
  if (k == 0)
    k = choose_k(parts.train, parts.train_targets, options.classes, parts.validation, parts.validation_targets)
            .k;
  const torch::Tensor logits = logits_of(k);
  return {parts, "k", static_cast<double>(k), judge(logits, parts.validation_targets), logits};
}

Candidate choose_logistic(const Parts& parts, const ProbeOptions& options) {
  LogisticProblem problem(parts.train, parts.train_targets, options.classes);
  const ChosenC chosen = choose_c(problem, parts.validation, parts.validation_targets);
  return {parts, "C", chosen.c, chosen.judgement, problem.fit(chosen.c).logits(parts.validation)};
}

Candidate choose_ridge(const Parts& parts, const ProbeOptions& options) {
  const RidgeProblem problem(parts.train, parts.train_targets, options.classes);
  const ChosenAlpha chosen = choose_alpha(problem, parts.validation, parts.validation_targets);
  return {parts, "alpha", chosen.alpha, chosen.judgement, problem.fit(chosen.alpha).logits(parts.validation)};
}

using Logits = std::function<torch::Tensor(const torch::Tensor&)>;  // features [N, F or D] -> [N, C]

// Both learned from both parts.
Logits neighbours_of_all(const Candidate& best, std::int64_t classes, double scale) {
  return [features = best.parts.all(), targets = best.parts.all_targets(), classes, scale,
          k = static_cast<std::int64_t>(best.value)](const auto& asked) {
    return knn_logits(nearest_neighbours(features, asked, k), targets, classes, k) * scale;
  };
}

LinearProbe map_of_all(const Candidate& best, const ProbeOptions& options, double scale) {
  const torch::Tensor features = best.parts.all(), targets = best.parts.all_targets();
  const LinearProbe probe = options.kind == "ridge"
                                ? RidgeProblem(features, targets, options.classes).fit(best.value)
                                : fit_logistic(features, targets, options.classes, best.value);
  return {.weight = probe.weight * scale, .bias = probe.bias * scale};
}

}  // namespace

FittedProbe fit_probe(const ProbeOptions& options, const ProbeItems& train, const ProbeItems& validation) {
  const bool several = train.targets.dim() == 2;
  const auto choose = options.kind == "knn"     ? choose_knn
                      : options.kind == "ridge" ? choose_ridge
                                                : choose_logistic;
  std::vector<Candidate> candidates = {
      choose({"tower", train.tower, validation.tower, train.targets, validation.targets}, options)};
  if (train.rows.defined()) {
    candidates.push_back(
        choose({"rows", train.rows, validation.rows, train.targets, validation.targets}, options));
  }
  const Candidate& best = candidates.size() > 1 && candidates[1].judgement.better_than(candidates[0].judgement)
                              ? candidates[1]
                              : candidates[0];
  FittedProbe probe{.chosen = {{"input", best.parts.input}}};
  probe.chosen[best.setting] = best.value;
  probe.chosen["validation_items"] = validation.tower.size(0);
  double scale = 1;
  if (!several) {
    scale = calibrated_scale(best.validation_logits, best.parts.validation_targets);
    probe.chosen["validation_accuracy"] = best.judgement.accuracy;
    probe.chosen["scale"] = scale;
  }
  if (options.kind != "knn") probe.map = map_of_all(best, options, scale);
  const Logits ask = probe.map ? Logits([map = *probe.map](const auto& asked) { return map.logits(asked); })
                               : neighbours_of_all(best, options.classes, scale);
  probe.logits = [ask, tower = best.parts.input == "tower"](const ProbeItems& asked) {
    return ask(tower ? asked.tower : asked.rows);
  };
  return probe;
}

}  // namespace duet
