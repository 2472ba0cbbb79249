// text_probe: logistic regression that starts from the classes' names and is pulled back to them: the penalty
// is on how far the weights go from the class vectors (the head of ELEVATER, Li et al. 2022, section 4, with
// the pull made explicit). Input and C are chosen by the cross entropy on validation, the names alone among the
// choices; then it is fitted to support and validation together.
#include <ATen/ops/zeros.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"
#include "evaluation/logistic.h"

namespace duet {
namespace {

// Logits of the names: rows times these. Their scale is calibrated on all items, as they learned from none.
torch::Tensor named_weights(const AdaptationTask& task, const Part& items) {
  const auto weights = class_vectors(task.name_vectors) * task.logit_scale;
  return weights * calibrated_scale(items.rows.matmul(weights.t()), items.labels);
}

// The rows' part of the map, which stands last, takes up the names.
LinearMap with_names(LinearMap map, const torch::Tensor& names) {
  const std::int64_t width = names.size(1);
  map.weight = map.weight.clone();
  map.weight.slice(1, map.weight.size(1) - width).add_(names);
  return map;
}

}  // namespace

Adapted fit_text_probe(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t) {
  const Part both = joined(support, validation);
  const auto names = named_weights(task, both);
  const auto said = [&](const Part& part) { return part.rows.matmul(names.t()); };  // [n, C]
  std::string name = "rows";
  Verdict verdict;
  ChosenC best{.c = 0, .judgement = judge(said(validation), validation.labels), .tried = {}};
  for (const char* wide : {"rows", "both"}) {
    const LinearInput input(wide, support);
    LogisticProblem problem(input.of(support), support.labels, task.classes, said(support));
    const ChosenC chosen =
        choose_c(problem, input.of(validation), validation.labels, said(validation), Criterion::loss);
    if (!chosen.judgement.better_than(best.judgement, Criterion::loss)) continue;
    best = chosen;
    name = wide;
    verdict = judged(problem.fit(best.c).logits(input.of(validation)) + said(validation), validation.labels);
  }
  nlohmann::json chosen{{"input", name}, {"C", best.c}};
  if (best.c == 0) {
    LinearMap map{.weight = names, .bias = at::zeros({task.classes}), .input = name};
    return {.classifier = linear_classifier(std::move(map)), .chosen = std::move(chosen)};
  }
  const LinearInput input(name, both);
  LogisticProblem problem(input.of(both), both.labels, task.classes, said(both));
  return {.classifier = linear_classifier(with_names(input.folded(problem.fit(best.c)), names)),
          .chosen = std::move(chosen),
          .validated = verdict};
}

}  // namespace duet
