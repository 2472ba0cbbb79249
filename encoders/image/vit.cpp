// The vision transformer (Dosovitskiy et al. 2021), with CLIP's details as options: a layer norm before the
// blocks, pooling by the class token, initial values. Its defaults are small.
#include "encoders/blocks.h"
#include "encoders/image/kinds.h"
#include "encoders/image/positions.h"
#include "encoders/text/aten_ops.h"
#include "encoders/text/block.h"

namespace duet {
namespace {

struct VitOptions {
  std::int64_t image_size = 64;  // [image] size: the size that positions are learned for
  std::int64_t patch = 8;        // pixels a side
  std::int64_t width = 192;
  std::int64_t layers = 6;
  std::int64_t heads = 4;
  double mlp_ratio = 4;
  bool class_token = true;
  std::string pool = "cls";           // cls | mean (of the patches)
  std::string positions = "learned";  // learned | sincos (fixed, two-dimensional)
  bool pre_norm = true;               // a layer norm before the first block (CLIP)
  double dropout = 0;
  double drop_path = 0;  // of the last block; the first has none, linear between
  std::int64_t grid() const { return image_size / patch; }
};

VitOptions read_options(Config& config, std::int64_t image_size) {
  VitOptions o;
  o.image_size = image_size;
  o.patch = config.integer("patch", o.patch, 1, 256);
  o.width = config.integer("width", o.width, 8, 8192);
  o.layers = config.integer("layers", o.layers, 1, 200);
  o.heads = config.integer("heads", o.heads, 1, 256);
  o.mlp_ratio = config.number("mlp_ratio", o.mlp_ratio, {.25, 16});
  o.class_token = config.flag("class_token", o.class_token);
  o.pool = config.choice("pool", o.class_token ? "cls" : "mean", {"cls", "mean"});
  o.positions = config.choice("positions", o.positions, {"learned", "sincos"});
  o.pre_norm = config.flag("pre_norm", o.pre_norm);
  o.dropout = config.number("dropout", o.dropout, {0, .9});
  o.drop_path = config.number("drop_path", o.drop_path, {0, .9});
  if (image_size % o.patch != 0)
    config.fail("patch", "the picture size is no multiple of the patch",
                "choose a patch that divides [image] size");
  if (o.width % o.heads != 0)
    config.fail("heads", "the width is no multiple of the number of heads", "choose heads that divide width");
  if (o.pool == "cls" && !o.class_token)
    config.fail("pool", "there is no class token", "use pool = \"mean\" or class_token = true");
  if (o.positions == "sincos" && o.width % 4 != 0)
    config.fail("width", "sincos positions need a multiple of 4");
  return o;
}

class Vit : public ImageEncoder {
 public:
  Vit(const Init& init, const VitOptions& options) : options_(options) {
    const double std = 1 / std::sqrt(static_cast<double>(options.width));
    const std::int64_t pixels = 3 * options.patch * options.patch;
    patches_ = add<Linear>(*this, init, "patches", pixels, options.width, false);
    if (options.class_token)
      class_token_ = register_parameter("class_token", init.normal("class_token", {options.width}, std));
    if (options.positions == "learned") {
      const std::int64_t count = options.grid() * options.grid() + (options.class_token ? 1 : 0);
      positions_ = register_parameter("positions", init.normal("positions", {count, options.width}, std));
    }
    if (options.pre_norm) pre_norm_ = add<LayerNorm>(*this, init, "pre_norm", options.width);
    const BlockShape shape{.width = options.width,
                           .heads = options.heads,
                           .mlp = std::lround(options.mlp_ratio * static_cast<double>(options.width)),
                           .layers = options.layers};
    const AtenWeights weights = AtenWeights(*this, init) / "blocks";
    for (std::int64_t i = 0; i < options.layers; ++i)
      blocks_.push_back(make_block<AtenOps>(weights / std::to_string(i), shape));
    norm_ = add<LayerNorm>(*this, init, "norm", options.width);
  }

  torch::Tensor embed(const torch::Tensor& images) override {
    const std::int64_t patch = options_.patch, height = images.size(2) / patch, width = images.size(3) / patch;
    TORCH_CHECK(images.size(2) % patch == 0 && images.size(3) % patch == 0,
                "vit: pictures must be multiples of ", patch);
    // A convolution whose stride is its kernel is a matrix product: a patch is (row, column, channel).
    const auto cut =
        images.permute({0, 2, 3, 1}).reshape({-1, height, patch, width, patch, 3}).permute({0, 1, 3, 2, 4, 5});
    auto tokens = patches_->forward(cut.reshape({images.size(0), height * width, -1}));
    tokens = tokens + positions(height, width).to(tokens.options());
    if (!class_token_.defined()) return tokens;
    const auto first = positions_.defined() ? class_token_ + positions_[0] : class_token_;
    return at::cat({first.to(tokens.scalar_type()).expand({tokens.size(0), 1, -1}), tokens}, 1);
  }

  torch::Tensor encode(const torch::Tensor& tokens) override {
    auto x = start(tokens);
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      x = run_block(ops(i), blocks_[i], options_.heads, x, torch::Tensor());
    return norm_->forward(x);
  }

  // With class token pooling the last block computes that token alone.
  torch::Tensor forward(const torch::Tensor& images) override {
    if (options_.pool != "cls") return ImageEncoder::forward(images);
    auto x = start(embed(images));
    const std::size_t last = blocks_.size() - 1;
    for (std::size_t i = 0; i < last; ++i)
      x = run_block(ops(i), blocks_[i], options_.heads, x, torch::Tensor());
    return norm_->forward(run_last_block(ops(last), blocks_[last], options_.heads, x, {}, {})).squeeze(1);
  }

  torch::Tensor pool(const torch::Tensor& tokens) override {
    if (options_.pool == "cls") return tokens.select(1, 0);
    return (class_token_.defined() ? tokens.slice(1, 1) : tokens).mean(1);
  }

  std::int64_t width() const override { return options_.width; }

 private:
  double dropout() const { return is_training() ? options_.dropout : 0; }

  AtenOps ops(std::size_t block) const {
    const double depth =
        blocks_.size() > 1 ? static_cast<double>(block) / static_cast<double>(blocks_.size() - 1) : 1;
    return AtenOps(dropout(), is_training() ? options_.drop_path * depth : 0);
  }

  torch::Tensor start(const torch::Tensor& tokens) const {
    const auto x = AtenOps(dropout(), 0).dropped(tokens);
    return pre_norm_ ? pre_norm_->forward(x) : x;
  }

  // Of the patches, [height * width, D].
  torch::Tensor positions(std::int64_t height, std::int64_t width) const {
    const std::int64_t grid = options_.grid();
    if (!positions_.defined()) return sincos_positions(height, width, grid, options_.width);
    const auto own = class_token_.defined() ? positions_.slice(0, 1) : positions_;
    if (height == grid && width == grid) return own;
    const auto map = own.t().reshape({1, options_.width, grid, grid});
    return at::upsample_bicubic2d(map, {height, width}, false).flatten(2).squeeze(0).t();
  }

  VitOptions options_;
  std::shared_ptr<Linear> patches_;
  torch::Tensor class_token_, positions_;
  std::shared_ptr<LayerNorm> pre_norm_, norm_;
  std::vector<Block<AtenOps>> blocks_;
};

}  // namespace

ImageEncoderSpec read_vit(Config& config, std::int64_t image_size) {
  const VitOptions options = read_options(config, image_size);
  return {.make = [options](const Init& init) -> std::shared_ptr<ImageEncoder> {
            return std::make_shared<Vit>(init, options);
          },
          .has_patches = true,
          .stride = options.patch};
}

}  // namespace duet
