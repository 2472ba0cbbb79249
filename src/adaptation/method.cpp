#include "adaptation/method.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/log_softmax.h>

#include <algorithm>
#include <string>

#include "adaptation/methods/kinds.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

const std::vector<MethodKind>& method_kinds() {
  static const std::vector<MethodKind> kinds = {
      {.name = "nearest_centroid",
       .meaning = "the class whose mean feature is nearest (Snell et al. 2017)",
       .fit = fit_nearest_centroid},
      {.name = "linear_probe",
       .meaning = "logistic regression on frozen features (Radford et al. 2021)",
       .fit = fit_linear_probe},
      {.name = "ridge", .meaning = "least squares to +1 and -1, in closed form", .fit = fit_ridge},
      {.name = "text_probe",
       .meaning = "logistic regression that is pulled towards the names (Li et al. 2022)",
       .fit = fit_text_probe,
       .needs_names = true},
      {.name = "lp_blend",
       .meaning = "names and a linear probe, blended class by class (LP++, Huang et al. 2024)",
       .fit = fit_lp_blend,
       .needs_names = true},
      {.name = "tip_adapter",
       .meaning = "names and a cache of the support vote, nothing is trained (Zhang et al. 2022)",
       .fit = fit_tip_adapter},
      {.name = "tip_adapter_f",
       .meaning = "tip_adapter with learned keys (Zhang et al. 2022)",
       .fit = fit_tip_adapter_f},
      {.name = "laplacian_shot",
       .meaning = "near items among those that are asked have near answers (Ziko et al. 2020)",
       .fit = fit_laplacian_shot},
      {.name = "clip_adapter",
       .meaning = "a bottleneck that changes the rows in part (Gao et al. 2021)",
       .fit = fit_clip_adapter,
       .needs_names = true},
      {.name = "coop",
       .meaning = "learned words before the names, through the frozen text tower (Zhou et al. 2022)",
       .fit = fit_coop,
       .needs_names = true},
      {.name = "lora",
       .meaning = "low-rank parts in the tower, and a head (Hu et al. 2022)",
       .fit = fit_lora,
       .needs_network = true},
      {.name = "fine_tune",
       .meaning = "the whole tower, from a head that was fitted first (Kumar et al. 2022)",
       .fit = fit_fine_tune,
       .needs_network = true},
      {.name = "wise_ft",
       .meaning = "the mean of the weights before and after fine_tune, weighted (Wortsman et al. 2022)",
       .fit = fit_wise_ft,
       .needs_network = true},
  };
  return kinds;
}

const MethodKind& method_kind(std::string_view name) {
  std::size_t width = 0;
  for (const MethodKind& kind : method_kinds()) {
    if (kind.name == name) return kind;
    width = std::max(width, kind.name.size());
  }
  std::string all;
  for (const MethodKind& kind : method_kinds())
    all += cat("\n  ", kind.name, std::string(width - kind.name.size(), ' '), "  ", kind.meaning);
  fail(Exit::usage, "--methods", cat("'", name, "' is no method"),
       cat("there are ", method_kinds().size(), ":", all));
}

double accuracy_of(const torch::Tensor& logits, const torch::Tensor& labels) {
  // argmax takes the first of equal values.
  return logits.argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
}

double cross_entropy_of(const torch::Tensor& logits, const torch::Tensor& labels) {
  return -logits.to(torch::kDouble).log_softmax(1).gather(1, labels.unsqueeze(1)).mean().item<double>();
}

Verdict judged(const torch::Tensor& logits, const torch::Tensor& labels) {
  const double scale = best_scale(logits, labels);
  return {.accuracy = accuracy_of(logits, labels), .cross_entropy = cross_entropy_of(logits * scale, labels)};
}

}  // namespace duet
