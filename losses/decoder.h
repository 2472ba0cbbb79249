// A small transformer whose tokens look at another sequence (Vaswani et al. 2017, section 3.2.3; pre-norm, with
// CLIP's initial values as in encoders/text/block.h): what objectives set behind a tower to tell or to judge a
// text from pictures or from another text.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "encoders/blocks.h"

namespace duet {

struct DecoderOptions {
  std::int64_t layers = 2, heads = 4;
};
// Keys decoder_layers, decoder_heads. Error(usage): the heads do not divide the text tower's width.
DecoderOptions read_decoder(Config& objective, std::int64_t width);

struct DecoderShape {
  std::int64_t width = 0;         // of its tokens
  std::int64_t memory_width = 0;  // of what they look at
  std::int64_t length = 0;        // most tokens
};

class CrossBlock;

class Decoder : public torch::nn::Module {
 public:
  Decoder(const Init& init, const DecoderOptions& options, const DecoderShape& shape);
  ~Decoder() override;

  // tokens [B, L, D], valid [B, L] bool (undefined: all), memory [B, M, D'], memory_valid [B, M] bool
  // (undefined: all) -> [B, L, D], the last layer norm included. causal: token i sees 0..i.
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& valid, bool causal,
                        const torch::Tensor& memory, const torch::Tensor& memory_valid = {}) const;

 private:
  torch::Tensor positions_;  // [length, D]
  std::shared_ptr<LayerNorm> memory_norm_, norm_;
  std::vector<std::shared_ptr<CrossBlock>> blocks_;
};

}  // namespace duet
