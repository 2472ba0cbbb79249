// linear_probe: logistic regression on frozen features (CLIP, Radford et al. 2021, appendix A.3): input and C
// are chosen by the cross entropy on validation (few items' accuracy is a coarse measure), then it is fitted to
// support and validation together.
#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"
#include "evaluation/logistic.h"

namespace duet {

Adapted fit_linear_probe(const AdaptationTask& task, const Part& support, const Part& validation,
                         std::uint64_t) {
  std::string name;
  ChosenC best;
  Verdict verdict;
  for (const LinearInput& input : linear_inputs(support)) {
    LogisticProblem problem(input.of(support), support.labels, task.classes);
    const ChosenC chosen = choose_c(problem, input.of(validation), validation.labels, {}, Criterion::loss);
    if (!chosen.judgement.better_than(best.judgement, Criterion::loss)) continue;
    best = chosen;
    name = input.name();
    verdict = judged(problem.fit(best.c).logits(input.of(validation)), validation.labels);
  }
  const Part both = joined(support, validation);
  const LinearInput input(name, both);
  const LinearProbe probe = fit_logistic(input.of(both), both.labels, task.classes, best.c);
  return {.classifier = linear_classifier(input.folded(probe)),
          .chosen = {{"input", name}, {"C", best.c}},
          .validated = verdict};
}

}  // namespace duet
