#include "losses/heads.h"

#include <ATen/ops/gelu.h>

#include "core/format.h"

namespace duet {

ProjectionOptions read_projection(Config& objective, ProjectionOptions o) {
  o.layers = objective.integer("head_layers", o.layers, 1, 8);
  o.hidden = objective.integer("head_hidden", o.hidden, 2, 65536);
  o.dimension = objective.integer("head_dimension", o.dimension, 2, 65536);
  return o;
}

Projection::Projection(const Init& init, std::int64_t in, const ProjectionOptions& options) {
  for (std::int64_t layer = 0; layer < options.layers; ++layer) {
    if (layer > 0) norms_.push_back(add<LayerNorm>(*this, init, cat("norm", layer), options.hidden));
    const std::int64_t from = layer == 0 ? in : options.hidden;
    const std::int64_t to = layer + 1 == options.layers ? options.dimension : options.hidden;
    linears_.push_back(add<Linear>(*this, init, cat("linear", layer), from, to));
  }
}

torch::Tensor Projection::forward(torch::Tensor x) const {
  for (std::size_t layer = 0; layer < linears_.size(); ++layer) {
    if (layer > 0) x = at::gelu(norms_[layer - 1]->forward(x));
    x = linears_[layer]->forward(x);
  }
  return x;
}

PieceHead::PieceHead(const Init& init, std::int64_t width, std::int64_t vocabulary)
    : linear_(add<Linear>(*this, init, "linear", width, width)),
      norm_(add<LayerNorm>(*this, init, "norm", width)) {
  bias_ = register_parameter("bias", torch::zeros({vocabulary}));
}

torch::Tensor PieceHead::forward(const torch::Tensor& x, const torch::Tensor& token_table) const {
  return norm_->forward(at::gelu(linear_->forward(x))).matmul(token_table.t()) + bias_;
}

}  // namespace duet
