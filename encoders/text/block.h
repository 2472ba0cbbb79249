// The pre-norm transformer block (Vaswani et al. 2017; pre-norm as in GPT-2 and CLIP), for caption towers and
// ViT alike.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "encoders/text/ops.h"

namespace duet {

struct BlockShape {
  std::int64_t width = 192, heads = 4, mlp = 768,
               layers = 4;  // layers: of the whole tower, it sets the initial scale
};

template <class Ops>
struct Block {
  typename Ops::Norm attention_norm;
  typename Ops::Linear qkv, out;
  typename Ops::Norm mlp_norm;
  typename Ops::Linear up, down;
};

// Initial values: CLIP's (clip/model.py).
template <class Ops, class Source>
requires TextOps<Ops> && WeightSource<Source, Ops> Block<Ops> make_block(const Source& source,
                                                                         const BlockShape& shape) {
  const double in_std = 1 / std::sqrt(static_cast<double>(shape.width));
  const double out_std = in_std / std::sqrt(2.0 * static_cast<double>(shape.layers));
  const Source attention = source / "attention", mlp = source / "mlp";
  return {.attention_norm = source.norm("attention_norm", shape.width),
          .qkv = attention.linear("qkv", shape.width, 3 * shape.width, in_std, true),
          .out = attention.linear("out", shape.width, shape.width, out_std, true),
          .mlp_norm = source.norm("mlp_norm", shape.width),
          .up = mlp.linear("up", shape.width, shape.mlp, in_std / std::sqrt(2.0), true),
          .down = mlp.linear("down", shape.mlp, shape.width, out_std, true)};
}

template <TextOps Ops>
typename Ops::Tensor run_mlp(const Ops& ops, const Block<Ops>& block, typename Ops::Tensor x) {
  auto hidden = ops.gelu(ops.linear(ops.layer_norm(x, block.mlp_norm), block.up));
  return ops.residual(std::move(x), ops.linear(hidden, block.down));
}

// [B, L, D] -> [B, L, D]
template <TextOps Ops>
typename Ops::Tensor run_block(const Ops& ops, const Block<Ops>& block, std::int64_t heads,
                               typename Ops::Tensor x, const typename Ops::Mask& mask) {
  auto attended = ops.attention(ops.linear(ops.layer_norm(x, block.attention_norm), block.qkv), heads, mask);
  return run_mlp(ops, block, ops.residual(std::move(x), ops.linear(attended, block.out)));
}

}  // namespace duet
