// Between a tower's feature and an objective's loss. LayerNorm where the papers have BatchNorm, whose
// statistics of small batches are poor and tie the rows of a batch together.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "encoders/blocks.h"

namespace duet {

struct ProjectionOptions {
  std::int64_t layers = 2;       // linear maps (SimCLR: 2; SLIP, SimCLR v2: 3)
  std::int64_t hidden = 512;     // width between them
  std::int64_t dimension = 128;  // of the result (SimCLR)
};
// Keys head_layers, head_hidden, head_dimension of an objective.
ProjectionOptions read_projection(Config& objective, ProjectionOptions defaults);

// Linear, then for each further layer LayerNorm, GELU, linear. [N, in] -> [N, dimension]
class Projection : public torch::nn::Module {
 public:
  Projection(const Init& init, std::int64_t in, const ProjectionOptions& options);
  torch::Tensor forward(torch::Tensor x) const;

 private:
  std::vector<std::shared_ptr<Linear>> linears_;
  std::vector<std::shared_ptr<LayerNorm>> norms_;
};

// BERT's output head (Devlin et al. 2019): linear, GELU, LayerNorm, then the inner product with each row of the
// tower's own token table, and a bias a piece. [N, D] -> [N, V]
class PieceHead : public torch::nn::Module {
 public:
  PieceHead(const Init& init, std::int64_t width, std::int64_t vocabulary);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& token_table) const;

 private:
  std::shared_ptr<Linear> linear_;
  std::shared_ptr<LayerNorm> norm_;
  torch::Tensor bias_;  // [V]
};

}  // namespace duet
