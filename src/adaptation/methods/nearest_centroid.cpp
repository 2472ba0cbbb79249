// nearest_centroid: the class whose mean feature is nearest (Snell et al. 2017, section 2.4): a linear map, as
// the square of what is asked is the same for all classes. The input is chosen on validation, the means are
// then of support and validation together.
#include <ATen/ops/zeros.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"

namespace duet {
namespace {

// [n, width] standardised
LinearProbe centroids_of(const torch::Tensor& features, const torch::Tensor& labels, std::int64_t classes) {
  const auto ones = at::zeros({classes}).index_add_(0, labels, features.new_ones({labels.size(0)}));
  const auto centroids =
      at::zeros({classes, features.size(1)}).index_add_(0, labels, features) / ones.clamp_min(1).unsqueeze(1);
  return {centroids, -0.5 * centroids.square().sum(1)};
}

}  // namespace

Adapted fit_nearest_centroid(const AdaptationTask& task, const Part& support, const Part& validation,
                             std::uint64_t) {
  std::string name;
  Judgement best;
  Verdict verdict;
  double scale = 1;
  for (const LinearInput& input : linear_inputs(support)) {
    auto logits = centroids_of(input.of(support), support.labels, task.classes).logits(input.of(validation));
    // Distances are no logarithms of probabilities until they are scaled.
    const double own_scale = calibrated_scale(logits, validation.labels);
    const Judgement judgement = judge(logits * own_scale, validation.labels);
    if (!judgement.better_than(best)) continue;
    best = judgement;
    name = input.name();
    scale = own_scale;
    verdict = judged(logits, validation.labels);
  }
  const Part both = joined(support, validation);
  const LinearInput input(name, both);
  LinearMap map = input.folded(centroids_of(input.of(both), both.labels, task.classes));
  map.weight = map.weight * scale;
  map.bias = map.bias * scale;
  return {.classifier = linear_classifier(std::move(map)),
          .chosen = {{"input", name}, {"scale", scale}},
          .validated = verdict};
}

}  // namespace duet
