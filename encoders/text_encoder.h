// Caption towers. Each forward is a template over Ops (encoders/text/*.h): training runs it on ATen, a query on
// plain floats.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "encoders/init.h"
#include "text/tokenizer.h"

namespace duet {

class TextEncoder : public torch::nn::Module {
 public:
  // ids [B, L] int64, segments [B, L] int64 or undefined -> [B, L, D]
  virtual torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor& segments = {}) = 0;
  // tokens [B, L, D] (also learned prompts), valid [B, L] bool; causal: position i sees 0..i. The encoder's own
  // default is causal_by_default(); objectives that need the other direction say so.
  virtual torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor& valid, bool causal) = 0;
  virtual torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor& valid) = 0;  // [B, width()]
  virtual std::int64_t width() const = 0;
  virtual bool causal_by_default() const { return false; }
  virtual torch::Tensor token_table() const = 0;  // [V, D] parameter

  // What the training captions hold, told once before training. seen [V] bool: rows of pieces that no caption
  // holds start at zero, where they stay, rather than at random (special ids keep their rows). idf [V]: for
  // towers that weight pieces by it.
  virtual void set_seen(const torch::Tensor& seen);
  virtual void set_idf(const torch::Tensor&) {}

  // The three calls with the tower's own direction; one that needs fewer tokens for its pooled feature alone
  // computes fewer.
  virtual torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& valid) {
    return pool(encode(embed(ids), valid, causal_by_default()), valid);
  }
};

// What a recipe says of a tower, known before there is one.
struct TextEncoderSpec {
  // null: no text tower
  std::function<std::shared_ptr<TextEncoder>(const Init&, std::int64_t vocabulary)> make;
  TextFormat format;  // context and specials that this tower wants
  bool pad_to_context = false;
  std::int64_t width = 0;     // of tokens and of the pooled feature
  bool mixes_tokens = false;  // not in a bag: masked or autoregressive objectives cannot use it
  bool causal = false;        // by default
  std::int64_t segments = 0;  // that embed() tells apart
};
struct TextEncoderKind {
  std::string_view name;
  TextEncoderSpec (*read)(Config& config);
};
const std::vector<TextEncoderKind>& text_encoder_kinds();
TextEncoderSpec read_text_encoder(Config& config);

}  // namespace duet
