#include "evaluation/feature_scatter.h"

#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/zeros.h>

namespace duet {
namespace {

constexpr std::int64_t kMostCorrelated = 4096, kBlock = 8192;

torch::Tensor scatter_of(const torch::Tensor& features, const torch::Tensor& mean) {
  const std::int64_t width = features.size(1);
  const bool correlated = width <= kMostCorrelated;
  auto scatter = correlated ? at::zeros({width, width}, torch::kDouble) : at::zeros({width}, torch::kDouble);
  const auto centre = mean.to(features.scalar_type());
  for (std::int64_t begin = 0; begin < features.size(0); begin += kBlock) {
    const auto block = features.slice(0, begin, begin + kBlock) - centre;
    scatter += correlated ? block.t().matmul(block) : block.square().sum(0);
  }
  return scatter;
}

// Rounding may leave a matrix without full rank a little below zero: the diagonal is raised until there is a
// root. What it is for needs no more than a likeness.
torch::Tensor root_of(const torch::Tensor& matrix) {
  const auto unit = at::eye(matrix.size(0), torch::kDouble) * matrix.trace() / matrix.size(0);
  for (double raise = 1e-9;; raise *= 100) {
    const auto [root, failed] = at::linalg_cholesky_ex(matrix + raise * unit);
    if (failed.item<int>() == 0) return root;
    TORCH_CHECK(raise < 1, "features that are not finite");
  }
}

}  // namespace

FeatureScatter::FeatureScatter(const torch::Tensor& features, const torch::Tensor& mean)
    : scatter_(scatter_of(features, mean)) {}

void FeatureScatter::set(double share) {
  if (scatter_.dim() == 1)
    root_ = (share * scatter_ + 1).sqrt();
  else
    root_ = root_of(share * scatter_ + at::eye(scatter_.size(0), torch::kDouble));
}

torch::Tensor FeatureScatter::solve(const torch::Tensor& rows) const {
  if (root_.dim() == 1) return rows / root_.square();
  return at::cholesky_solve(rows.t(), root_).t();
}

}  // namespace duet
