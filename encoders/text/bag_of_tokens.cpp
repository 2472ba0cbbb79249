#include "encoders/text/bag_of_tokens.h"

#include "encoders/text/aten_ops.h"
#include "encoders/text/kinds.h"

namespace duet {
namespace {

class BagOfTokens : public TextEncoder {
 public:
  BagOfTokens(const Init& init, const BagOptions& options, std::int64_t vocabulary)
      : options_(options), weights_(make_bag<AtenOps>(AtenWeights(*this, init), options, vocabulary)) {}

  torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor& segments) override {
    TORCH_CHECK(!segments.defined(), "a bag of tokens has no segments");
    return embed_bag(ops(), weights_, options_, ids);
  }
  torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor&, bool) override { return tokens; }
  torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor& valid) override {
    return pool_bag(ops(), weights_, tokens, valid);
  }
  std::int64_t width() const override { return options_.width; }
  torch::Tensor token_table() const override { return weights_.tokens; }
  void set_idf(const torch::Tensor& idf) override {
    if (options_.idf) weights_.idf.copy_(idf);
  }

 private:
  AtenOps ops() const { return AtenOps(is_training() ? options_.dropout : 0, 0); }

  BagOptions options_;
  BagWeights<AtenOps> weights_;
};

}  // namespace

TextEncoderSpec read_bag_of_tokens(Config& config) {
  const BagOptions options = read_bag_options(config);
  return {.make = [options](const Init& init, std::int64_t vocabulary) -> std::shared_ptr<TextEncoder> {
            return std::make_shared<BagOfTokens>(init, options, vocabulary);
          },
          .format = format_of(options),
          .width = options.width};
}

}  // namespace duet
