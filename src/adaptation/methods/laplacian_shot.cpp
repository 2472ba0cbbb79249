// laplacian_shot: tip_adapter or lp_blend, and what is asked together has a say: near items have near answers
// (LaplacianShot, Ziko et al. 2020)
#include "adaptation/classifiers.h"
#include "adaptation/methods/kinds.h"
#include "adaptation/smoothed_classifier.h"

namespace duet {
namespace {

struct Base {
  Adapted adapted;
  Verdict verdict;
};

Base judged_base(Adapted adapted, const Part& validation) {
  const Verdict verdict = adapted.validated ? *adapted.validated
                                            : judged(adapted.classifier->logits(validation), validation.labels);
  return {std::move(adapted), verdict};
}

}  // namespace

// Of what is asked nothing is known yet, and a validation part of some items a class has no neighbours of one
// kind: how much neighbours count is fixed, and validation says what it says of the classifier below.
Adapted fit_laplacian_shot(const AdaptationTask& task, const Part& support, const Part& validation,
                           std::uint64_t seed) {
  std::string name = "tip_adapter";
  Base base = judged_base(fit_tip_adapter(task, support, validation, seed), validation);
  if (task.name_vectors.defined()) {
    Base blend = judged_base(fit_lp_blend(task, support, validation, seed), validation);
    if (blend.verdict.better_than(base.verdict)) {
      name = "lp_blend";
      base = std::move(blend);
    }
  }
  auto& [adapted, verdict] = base;
  Smoothing smoothing{.input = validation.rows.defined() ? "rows" : "tower"};
  // One that has learned from validation, too, is calibrated.
  if (!adapted.validated)
    smoothing.scale = calibrated_scale(adapted.classifier->logits(validation), validation.labels);
  adapted.chosen["of"] = name;
  return {.classifier = smoothed_classifier(std::move(adapted.classifier), std::move(smoothing)),
          .chosen = std::move(adapted.chosen),
          .validated = verdict};
}

}  // namespace duet
