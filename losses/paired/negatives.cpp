#include "losses/paired/negatives.h"

#include <ATen/ops/nonzero.h>
#include <ATen/ops/softmax.h>

#include <limits>

namespace duet {

DrawnNegatives draw_negatives(const torch::Tensor& alike, const torch::Tensor& positives) {
  const auto rows = at::nonzero(positives.all(1).logical_not()).flatten();
  if (rows.numel() == 0) return {rows, rows};
  const auto scores = alike.detach().index_select(0, rows).masked_fill(positives.index_select(0, rows),
                                                                       -std::numeric_limits<float>::infinity());
  return {rows, at::softmax(scores, 1).multinomial(1).flatten()};
}

}  // namespace duet
