#include "evaluation/linear_probe.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softplus.h>

namespace duet {

bool Judgement::better_than(const Judgement& other, Criterion by) const {
  return by == Criterion::accuracy && accuracy != other.accuracy ? accuracy > other.accuracy
                                                                 : loss < other.loss;
}

Judgement judge(const torch::Tensor& logits, const torch::Tensor& targets) {
  const auto answers = logits.argmax(1);  // the first of equal logits
  const auto sharp = logits.to(torch::kDouble);
  if (targets.dim() == 1) {
    const auto said = sharp.log_softmax(1).gather(1, targets.unsqueeze(1));
    return {answers.eq(targets).to(torch::kDouble).mean().item<double>(), -said.mean().item<double>()};
  }
  const auto wanted = targets.to(torch::kDouble);
  return {wanted.gather(1, answers.unsqueeze(1)).mean().item<double>(),
          (at::softplus(sharp) - wanted * sharp).mean().item<double>()};
}

}  // namespace duet
