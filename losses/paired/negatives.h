// Negatives out of a batch (ALBEF, Li et al. 2021, section 3.2).
#pragma once
#include <torch/types.h>

namespace duet {

struct DrawnNegatives {
  torch::Tensor rows, columns;  // [N] int64; rows ascending
};
// For each row one column that is no positive, drawn by the softmax of `alike` over these; a row without any
// gets none. alike [R, C], positives [R, C] bool. Draws from the default generator.
DrawnNegatives draw_negatives(const torch::Tensor& alike, const torch::Tensor& positives);

}  // namespace duet
