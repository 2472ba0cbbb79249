// ridge: least squares to +1 and -1 in closed form (the few-shot probe of big_vision): input and alpha are
// chosen on validation, then it is fitted to support and validation together.
#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"
#include "evaluation/ridge_classifier.h"

namespace duet {

Adapted fit_ridge(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t) {
  std::string name;
  ChosenAlpha best;
  double scale = 1;
  Verdict verdict;
  for (const LinearInput& input : linear_inputs(support)) {
    const RidgeProblem problem(input.of(support), support.labels, task.classes);
    const ChosenAlpha chosen = choose_alpha(problem, input.of(validation), validation.labels);
    if (!chosen.judgement.better_than(best.judgement)) continue;
    best = chosen;
    name = input.name();
    // Least squares are no probabilities until they are scaled.
    const torch::Tensor logits = problem.fit(chosen.alpha).logits(input.of(validation));
    scale = calibrated_scale(logits, validation.labels);
    verdict = judged(logits * scale, validation.labels);
  }
  const Part both = joined(support, validation);
  const LinearInput input(name, both);
  LinearMap map = input.folded(RidgeProblem(input.of(both), both.labels, task.classes).fit(best.alpha));
  map.weight = map.weight * scale;
  map.bias = map.bias * scale;
  return {.classifier = linear_classifier(std::move(map)),
          .chosen = {{"input", name}, {"alpha", best.alpha}, {"scale", scale}},
          .validated = verdict};
}

}  // namespace duet
