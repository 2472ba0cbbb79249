// Residual networks (He et al. 2015) in the usual layout, stride in the 3x3 convolution (v1.5), the last gain
// of a block at zero (Goyal et al. 2017). stem = "small" keeps small pictures' resolution: a 3x3 convolution,
// no pooling.
#include "encoders/blocks.h"
#include "encoders/image/kinds.h"

namespace duet {
namespace {

struct ResnetOptions {
  std::int64_t layers = 18;                         // 18 | 34 | 50: sets blocks and bottleneck
  std::vector<std::int64_t> blocks = {2, 2, 2, 2};  // of each stage
  bool bottleneck = false;                          // 1x1, 3x3, 1x1 with four times the channels out
  std::int64_t width = 64;     // channels of the first stage; each later one has twice as many
  std::string stem = "small";  // small | imagenet (7x7, stride 2, max pooling)
  std::string norm = "batch";  // batch | group | layer
  std::int64_t expansion() const { return bottleneck ? 4 : 1; }
};

ResnetOptions read_options(Config& config) {
  ResnetOptions o;
  const std::string layers = std::to_string(config.integer("layers", o.layers, 18, 50));
  if (layers == "34" || layers == "50") {
    o.blocks = {3, 4, 6, 3};
  } else if (layers != "18") {
    config.fail("layers", "no layout of " + layers + " layers",
                "use 18, 34 or 50, or give blocks and bottleneck");
  }
  o.bottleneck = config.flag("bottleneck", layers == "50");
  o.blocks = read_integers(config, "blocks", o.blocks, 1, 100);
  o.width = config.integer("width", o.width, 8, 1024);
  o.stem = config.choice("stem", o.stem, {"small", "imagenet"});
  o.norm = config.choice("norm", o.norm, {"batch", "group", "layer"});
  return o;
}

// Convolution and norm.
class ConvNorm : public torch::nn::Module {
 public:
  ConvNorm(const Init& init, const Conv::Shape& shape, const std::string& norm, double gain = 1) {
    conv_ = add<Conv>(*this, init, "conv", shape);
    norm_ = register_module("norm", make_norm(norm, shape.out, gain));
  }
  torch::Tensor forward(const torch::Tensor& x) { return norm_->forward(conv_->forward(x)); }

 private:
  std::shared_ptr<Conv> conv_;
  std::shared_ptr<MapNorm> norm_;
};

class ResnetBlock : public torch::nn::Module {
 public:
  ResnetBlock(const Init& init, std::int64_t in, std::int64_t width, std::int64_t stride,
              const ResnetOptions& o) {
    const std::int64_t out = width * o.expansion();
    if (o.bottleneck) {
      layers_ = {
          add<ConvNorm>(*this, init, "layer1", Conv::Shape{.in = in, .out = width, .kernel = 1}, o.norm),
          add<ConvNorm>(*this, init, "layer2", Conv::Shape{.in = width, .out = width, .stride = stride},
                        o.norm),
          add<ConvNorm>(*this, init, "layer3", Conv::Shape{.in = width, .out = out, .kernel = 1}, o.norm, 0.)};
    } else {
      layers_ = {
          add<ConvNorm>(*this, init, "layer1", Conv::Shape{.in = in, .out = width, .stride = stride}, o.norm),
          add<ConvNorm>(*this, init, "layer2", Conv::Shape{.in = width, .out = out}, o.norm, 0.)};
    }
    if (stride != 1 || in != out) {
      shortcut_ = add<ConvNorm>(*this, init, "shortcut",
                                Conv::Shape{.in = in, .out = out, .kernel = 1, .stride = stride}, o.norm);
    }
  }
  torch::Tensor forward(const torch::Tensor& x) {
    auto inner = x;
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) inner = layers_[i]->forward(inner).relu_();
    return layers_.back()->forward(inner).add_(shortcut_ ? shortcut_->forward(x) : x).relu_();
  }

 private:
  std::vector<std::shared_ptr<ConvNorm>> layers_;
  std::shared_ptr<ConvNorm> shortcut_;
};

class Resnet : public ImageEncoder {
 public:
  Resnet(const Init& init, const ResnetOptions& options) : options_(options) {
    const bool small = options.stem == "small";
    stem_ = add<ConvNorm>(
        *this, init, "stem",
        Conv::Shape{.in = 3, .out = options.width, .kernel = small ? 3 : 7, .stride = small ? 1 : 2},
        options.norm);
    channels_ = options.width;
    for (std::size_t stage = 0; stage < options.blocks.size(); ++stage) {
      const std::int64_t width = options.width << stage;
      for (std::int64_t block = 0; block < options.blocks[stage]; ++block) {
        const std::string name = "stage" + std::to_string(stage) + "_" + std::to_string(block);
        const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
        blocks_.push_back(add<ResnetBlock>(*this, init, name, channels_, width, stride, options));
        channels_ = width * options.expansion();
      }
    }
  }

  torch::Tensor embed(const torch::Tensor& images) override {
    auto x = stem_->forward(images.contiguous(at::MemoryFormat::ChannelsLast)).relu_();
    if (options_.stem == "imagenet") x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
    for (const auto& block : blocks_) x = block->forward(x);
    return x.permute({0, 2, 3, 1}).flatten(1, 2);
  }
  torch::Tensor encode(const torch::Tensor& tokens) override { return tokens; }
  torch::Tensor pool(const torch::Tensor& tokens) override { return tokens.mean(1); }
  std::int64_t width() const override { return channels_; }

 private:
  ResnetOptions options_;
  std::int64_t channels_ = 0;
  std::shared_ptr<ConvNorm> stem_;
  std::vector<std::shared_ptr<ResnetBlock>> blocks_;
};

}  // namespace

ImageEncoderSpec read_resnet(Config& config, std::int64_t) {
  const ResnetOptions options = read_options(config);
  const std::int64_t stem = options.stem == "small" ? 1 : 4;
  return {.make = [options](const Init& init) -> std::shared_ptr<ImageEncoder> {
            return std::make_shared<Resnet>(init, options);
          },
          .stride = stem << (options.blocks.size() - 1)};
}

}  // namespace duet
