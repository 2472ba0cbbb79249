// A small residual network for small pictures: a stem, stages that halve the map, one vector of its last map.
// Beside the global average the vector holds the map itself, narrowed and flattened: where things are, which an
// average forgets.
#include "encoders/blocks.h"
#include "encoders/image/kinds.h"

namespace duet {
namespace {

struct ConvnetOptions {
  std::int64_t stem = 32;  // channels of the first convolution
  std::int64_t stem_stride = 2;
  std::vector<std::int64_t> widths = {64, 128, 256};  // channels of the stages; each halves the map
  std::int64_t blocks = 1;                            // residual blocks of a stage
  std::int64_t map = 4;                               // the feature holds map x map cells ...
  std::int64_t map_width = 64;                        // ... of so many channels; map = 0: the average alone
  std::string norm = "batch";                         // batch | group | layer
  double dropout = 0;                                 // of the feature's entries
};

ConvnetOptions read_options(Config& config) {
  ConvnetOptions o;
  o.stem = config.integer("stem", o.stem, 8, 1024);
  o.stem_stride = config.integer("stem_stride", o.stem_stride, 1, 4);
  o.widths = read_integers(config, "widths", o.widths, 8, 4096);
  o.blocks = config.integer("blocks", o.blocks, 1, 50);
  o.map = config.integer("map", o.map, 0, 16);
  o.map_width = config.integer("map_width", o.map_width, 1, 4096);
  o.norm = config.choice("norm", o.norm, {"batch", "group", "layer"});
  o.dropout = config.number("dropout", o.dropout, {0, .9});
  return o;
}

class ResidualBlock : public torch::nn::Module {
 public:
  ResidualBlock(const Init& init, std::int64_t in, std::int64_t out, std::int64_t stride,
                const std::string& norm) {
    conv1_ = add<Conv>(*this, init, "conv1", Conv::Shape{.in = in, .out = out, .stride = stride});
    norm1_ = register_module("norm1", make_norm(norm, out));
    conv2_ = add<Conv>(*this, init, "conv2", Conv::Shape{.in = out, .out = out});
    norm2_ = register_module("norm2", make_norm(norm, out, 0));
    if (stride != 1 || in != out) {
      shortcut_ =
          add<Conv>(*this, init, "shortcut", Conv::Shape{.in = in, .out = out, .kernel = 1, .stride = stride});
      shortcut_norm_ = register_module("shortcut_norm", make_norm(norm, out));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto straight = shortcut_ ? shortcut_norm_->forward(shortcut_->forward(x)) : x;
    const auto inner = norm1_->forward(conv1_->forward(x)).relu_();
    return norm2_->forward(conv2_->forward(inner)).add_(straight).relu_();
  }

 private:
  std::shared_ptr<Conv> conv1_, conv2_, shortcut_;
  std::shared_ptr<MapNorm> norm1_, norm2_, shortcut_norm_;
};

class Convnet : public ImageEncoder {
 public:
  Convnet(const Init& init, const ConvnetOptions& options) : options_(options) {
    stem_ = add<Conv>(*this, init, "stem",
                      Conv::Shape{.in = 3, .out = options.stem, .stride = options.stem_stride});
    stem_norm_ = register_module("stem_norm", make_norm(options.norm, options.stem));
    std::int64_t in = options.stem;
    for (std::size_t stage = 0; stage < options.widths.size(); ++stage) {
      for (std::int64_t block = 0; block < options.blocks; ++block) {
        const std::string name = "stage" + std::to_string(stage) + "_" + std::to_string(block);
        blocks_.push_back(
            add<ResidualBlock>(*this, init, name, in, options.widths[stage], block == 0 ? 2 : 1, options.norm));
        in = options.widths[stage];
      }
    }
    channels_ = in;
    if (options.map > 0) map_ = add<Linear>(*this, init, "map", channels_, options.map_width);
  }

  torch::Tensor embed(const torch::Tensor& images) override {
    auto x = stem_norm_->forward(stem_->forward(images.contiguous(at::MemoryFormat::ChannelsLast))).relu_();
    for (const auto& block : blocks_) x = block->forward(x);
    return x.permute({0, 2, 3, 1}).flatten(1, 2);  // a view: the map is in channels_last
  }
  torch::Tensor encode(const torch::Tensor& tokens) override { return tokens; }
  torch::Tensor pool(const torch::Tensor& tokens) override {
    auto feature = tokens.mean(1);
    if (map_) feature = at::cat({map_->forward(cells(tokens)).flatten(1), feature}, 1);
    return at::dropout(feature, options_.dropout, is_training());
  }
  std::int64_t width() const override { return options_.map * options_.map * options_.map_width + channels_; }

 private:
  // The (square) map averaged to map x map cells, [B, map * map, C].
  torch::Tensor cells(const torch::Tensor& tokens) const {
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(tokens.size(1)))));
    TORCH_CHECK(side * side == tokens.size(1), "convnet: pictures must be square");
    if (side == options_.map) return tokens;
    const auto map = tokens.view({tokens.size(0), side, side, channels_}).permute({0, 3, 1, 2});
    return at::adaptive_avg_pool2d(map, {options_.map, options_.map}).permute({0, 2, 3, 1}).flatten(1, 2);
  }

  ConvnetOptions options_;
  std::int64_t channels_ = 0;
  std::shared_ptr<Conv> stem_;
  std::shared_ptr<MapNorm> stem_norm_;
  std::vector<std::shared_ptr<ResidualBlock>> blocks_;
  std::shared_ptr<Linear> map_;
};

}  // namespace

ImageEncoderSpec read_convnet(Config& config, std::int64_t) {
  const ConvnetOptions options = read_options(config);
  return {.make = [options](const Init& init) -> std::shared_ptr<ImageEncoder> {
            return std::make_shared<Convnet>(init, options);
          },
          .stride = options.stem_stride << options.widths.size()};
}

}  // namespace duet
