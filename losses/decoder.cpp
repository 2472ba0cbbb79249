#include "losses/decoder.h"

#include <cmath>

#include "core/format.h"
#include "encoders/text/aten_ops.h"

namespace duet {
namespace {

// [B, L, D] -> [B, heads, L, D / heads]
torch::Tensor in_heads(const torch::Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

}  // namespace

// A block of encoders/text/block.h with attention to the memory between its two halves.
class CrossBlock : public torch::nn::Module {
 public:
  CrossBlock(const Init& init, const DecoderOptions& options, const DecoderShape& shape)
      : heads_(options.heads),
        block_(make_block<AtenOps>(
            AtenWeights(*this, init),
            {.width = shape.width, .heads = options.heads, .mlp = 4 * shape.width, .layers = options.layers})) {
    const double out_std = 1 / std::sqrt(2.0 * static_cast<double>(shape.width * options.layers));
    norm_ = add<LayerNorm>(*this, init, "memory_norm", shape.width);
    query_ = add<Linear>(*this, init, "memory_query", shape.width, shape.width);
    // Also what brings a memory of another width to that of the tokens.
    key_value_ = add<Linear>(*this, init, "memory_key_value", shape.memory_width, 2 * shape.width);
    out_ = add<Linear>(*this, init, "memory_out", shape.width, shape.width, true, out_std);
  }

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& mask, const torch::Tensor& memory,
                        const torch::Tensor& memory_mask) const {
    const auto qkv = block_.qkv->forward(block_.attention_norm->forward(x));
    x = x + block_.out->forward(ops_.attention(qkv, heads_, mask));
    const auto query = query_->forward(norm_->forward(x));
    const auto key_value = key_value_->forward(memory).chunk(2, 2);
    const auto seen = attend(in_heads(query, heads_), in_heads(key_value[0], heads_),
                             in_heads(key_value[1], heads_), memory_mask);
    x = x + out_->forward(seen.transpose(1, 2).reshape_as(x));
    return run_mlp(ops_, block_, x);
  }

 private:
  AtenOps ops_;
  std::int64_t heads_;
  Block<AtenOps> block_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> query_, key_value_, out_;
};

DecoderOptions read_decoder(Config& objective, std::int64_t width) {
  DecoderOptions o;
  o.layers = objective.integer("decoder_layers", o.layers, 1, 64);
  o.heads = objective.integer("decoder_heads", o.heads, 1, 256);
  if (width % o.heads != 0) {
    objective.fail("decoder_heads",
                   cat("the text tower's width of ", width, " is no multiple of ", o.heads, " heads"),
                   "set decoder_heads to a number that divides it");
  }
  return o;
}

Decoder::Decoder(const Init& init, const DecoderOptions& options, const DecoderShape& shape) {
  positions_ = register_parameter("positions", init.normal("positions", {shape.length, shape.width}, .01));
  memory_norm_ = add<LayerNorm>(*this, init, "memory_norm", shape.memory_width);
  for (std::int64_t i = 0; i < options.layers; ++i)
    blocks_.push_back(add<CrossBlock>(*this, init, cat("block", i), options, shape));
  norm_ = add<LayerNorm>(*this, init, "norm", shape.width);
}

Decoder::~Decoder() = default;

torch::Tensor Decoder::forward(const torch::Tensor& tokens, const torch::Tensor& valid, bool causal,
                               const torch::Tensor& memory, const torch::Tensor& memory_valid) const {
  const auto mask = attention_mask(valid, causal, tokens.size(1), tokens.device());
  const auto memory_mask = attention_mask(memory_valid, false, memory.size(1), memory.device());
  // A convolution tower's cells and a causal tower's tokens are of any scale.
  const auto seen = memory_norm_->forward(memory);
  auto x = AtenOps().add_positions(tokens, positions_);
  for (const auto& block : blocks_) x = block->forward(x, mask, seen, memory_mask);
  return norm_->forward(x);
}

}  // namespace duet
