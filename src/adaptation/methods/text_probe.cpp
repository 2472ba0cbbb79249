// text_probe: logistic regression that starts from the classes' names and is pulled back to them: what is
// penalised is what it adds to zero-shot's logits, with one name a class how far the weights go from the
// names' vectors (the head of ELEVATER, Li et al. 2022, section 4, with the pull made explicit). Input and C
// are chosen by the cross entropy on validation, the names alone among the choices; then it is fitted to
// support and validation together.
#include <ATen/ops/zeros.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"
#include "evaluation/logistic.h"

namespace duet {
namespace {

// Zero-shot's logits at one scale, which is calibrated on all items, as the names learned from none.
class Named {
 public:
  Named(const AdaptationTask& task, const Part& items)
      : task_(task), alpha_(calibrated_scale(plain(items), items.labels)) {}
  torch::Tensor logits(const Part& items) const { return plain(items) * alpha_; }
  std::unique_ptr<Classifier> classifier(LinearMap map) const {
    return blend_classifier({.map = std::move(map),
                             .alpha = torch::full({task_.classes}, alpha_),
                             .names = task_.name_vectors,
                             .logit_scale = task_.logit_scale});
  }

 private:
  torch::Tensor plain(const Part& items) const {
    return name_logits(items.rows, task_.name_vectors, task_.logit_scale);
  }

  const AdaptationTask& task_;
  double alpha_;
};

}  // namespace

Adapted fit_text_probe(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t) {
  const Part both = joined(support, validation);
  const Named names(task, both);
  std::string name = "rows";
  Verdict verdict;
  ChosenC best{.c = 0, .judgement = judge(names.logits(validation), validation.labels), .tried = {}};
  for (const char* wide : {"rows", "both"}) {
    const LinearInput input(wide, support);
    LogisticProblem problem(input.of(support), support.labels, task.classes, names.logits(support));
    const ChosenC chosen =
        choose_c(problem, input.of(validation), validation.labels, names.logits(validation), Criterion::loss);
    if (!chosen.judgement.better_than(best.judgement, Criterion::loss)) continue;
    best = chosen;
    name = wide;
    verdict =
        judged(problem.fit(best.c).logits(input.of(validation)) + names.logits(validation), validation.labels);
  }
  nlohmann::json chosen{{"input", name}, {"C", best.c}};
  if (best.c == 0) {
    LinearMap nothing{.weight = at::zeros({task.classes, support.rows.size(1)}),
                      .bias = at::zeros({task.classes}),
                      .input = name};
    return {.classifier = names.classifier(std::move(nothing)), .chosen = std::move(chosen)};
  }
  const LinearInput input(name, both);
  LogisticProblem problem(input.of(both), both.labels, task.classes, names.logits(both));
  return {.classifier = names.classifier(input.folded(problem.fit(best.c))),
          .chosen = std::move(chosen),
          .validated = verdict};
}

}  // namespace duet
