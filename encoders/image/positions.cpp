#include "encoders/image/positions.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>

namespace duet {

torch::Tensor sincos_positions(std::int64_t height, std::int64_t width, std::int64_t grid,
                               std::int64_t channels) {
  const auto along = [grid](std::int64_t cells) {
    const double scale = static_cast<double>(grid) / static_cast<double>(cells);
    return at::arange(cells, at::kDouble).add_(.5).mul_(scale).sub_(.5);
  };
  const auto rate =
      at::pow(10000., at::arange(channels / 4, at::kDouble).div_(static_cast<double>(channels / 4)).neg_());
  const auto waves = [&](const torch::Tensor& coordinate) {
    const auto angle = coordinate.unsqueeze(1) * rate;
    return at::cat({angle.sin(), angle.cos()}, 1);  // [cells, D / 2]
  };
  const auto rows = waves(along(height)).unsqueeze(1).expand({height, width, channels / 2});
  const auto columns = waves(along(width)).unsqueeze(0).expand({height, width, channels / 2});
  return at::cat({rows, columns}, 2).view({height * width, channels}).to(at::kFloat);
}

}  // namespace duet
