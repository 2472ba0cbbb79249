#include "encoders/text/transformer.h"

#include "encoders/text/aten_ops.h"
#include "encoders/text/kinds.h"

namespace duet {
namespace {

class Transformer : public TextEncoder {
 public:
  Transformer(const Init& init, const TransformerOptions& options, std::int64_t vocabulary)
      : options_(options), weights_(make_transformer<AtenOps>(AtenWeights(*this, init), options, vocabulary)) {}

  torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor& segments) override {
    if (!segments.defined()) return embed_transformer(ops(), weights_, ids);
    TORCH_CHECK(weights_.segments.defined(),
                "the text tower has no segment embeddings: set segments in [text]");
    const auto x = ops().add_positions(at::embedding(weights_.tokens, ids), weights_.positions);
    return ops().dropped(x + at::embedding(weights_.segments, segments));
  }
  torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor& valid, bool causal) override {
    return encode_transformer(ops(), weights_, options_, tokens, valid, causal);
  }
  torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor& valid) override {
    return ops().pool(tokens, valid, options_.pooling);
  }
  // The last block computes the one token that is pooled.
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& valid) override {
    if (options_.pooling == Pooling::mean) return TextEncoder::forward(ids, valid);
    const auto position = options_.pooling == Pooling::eot ? last_valid(valid) : torch::Tensor();
    const auto seen = options_.attend_to_padding ? torch::Tensor() : valid;
    const auto mask = seen.defined() ? ops().mask(seen, options_.causal) : torch::Tensor();
    const auto keys = seen.defined() ? ops().mask(seen, false) : torch::Tensor();
    auto x = embed(ids, {});
    for (std::size_t i = 0; i + 1 < weights_.blocks.size(); ++i) {
      x = run_block(ops(), weights_.blocks[i], options_.heads, x, mask);
    }
    x = run_last_block(ops(), weights_.blocks.back(), options_.heads, x, position, keys);
    return ops().layer_norm(x, weights_.norm).squeeze(1);
  }
  std::int64_t width() const override { return options_.width; }
  bool causal_by_default() const override { return options_.causal; }
  torch::Tensor token_table() const override { return weights_.tokens; }

 private:
  AtenOps ops() const { return AtenOps(is_training() ? options_.dropout : 0, 0); }

  TransformerOptions options_;
  TransformerWeights<AtenOps> weights_;
};

}  // namespace

TextEncoderSpec read_transformer(Config& config) {
  const TransformerOptions options = read_transformer_options(config);
  return {.make = [options](const Init& init, std::int64_t vocabulary) -> std::shared_ptr<TextEncoder> {
            return std::make_shared<Transformer>(init, options, vocabulary);
          },
          .format = format_of(options),
          .pad_to_context = options.attend_to_padding,
          .width = options.width,
          .mixes_tokens = true,
          .causal = options.causal,
          .segments = options.segments};
}

}  // namespace duet
