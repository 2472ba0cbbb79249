// masked_patch: the pixels of hidden patches are told from the others. A tower with patches sees those alone,
// and a small transformer tells the rest (MAE, He et al. 2022); a convolution tower sees hidden cells in the
// mean colour and each cell tells its pixels (SimMIM, Xie et al. 2022).
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/var_mean.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "core/format.h"
#include "encoders/image/positions.h"
#include "encoders/text/aten_ops.h"
#include "encoders/text/block.h"
#include "losses/image/pixels.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

struct Options {
  std::string view = "main";
  std::optional<double> share;  // of the cells that are hidden; MAE: 0.75, SimMIM: 0.6
  // Each cell's pixels less their mean, by their deviation (MAE's better targets); SimMIM tells plain pixels.
  std::optional<bool> norm_pixels;
  // The transformer that tells patches. MAE's is half as wide as its tower and a third as deep; one layer was
  // as good for fine-tuning.
  std::int64_t width = 128, layers = 2, heads = 4;
  std::string decoder_key;  // "file:line:column" of one that the recipe sets
};

struct Told {
  torch::Tensor told, truth,
      mask;  // [N, 3, S, S] pixels as norm_pixels says, [N, 3, S, S] normalised, [N, 1, S, S]
};

// Every pixel's cell: [N, 1, S, S].
struct CellSpread {
  torch::Tensor mean, deviation;
};
CellSpread spread_of(const torch::Tensor& pictures, std::int64_t pixels) {
  const std::int64_t size = pictures.size(2), side = size / pixels;
  const auto cells = pictures.unflatten(2, {side, pixels}).unflatten(4, {side, pixels});
  const auto [variance, mean] = at::var_mean(cells, at::IntArrayRef{1, 3, 5}, 1, true);
  const auto each = [&](const torch::Tensor& one) {  // [N, 1, side, 1, side, 1]
    return one.expand({-1, 1, side, pixels, side, pixels}).reshape({-1, 1, size, size});
  };
  return {each(mean), each((variance + 1e-6).sqrt())};
}

class MaskedPatch : public Objective, public ShowsPictures {
 public:
  MaskedPatch(std::string view, bool norm_pixels, std::int64_t pixels)
      : view_(std::move(view)), norm_pixels_(norm_pixels), pixels_(pixels) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    Told t = tell(batch, batch.batch().views.at(view_));
    if (norm_pixels_) {
      const CellSpread spread = spread_of(t.truth, pixels_);
      t.truth = (t.truth - spread.mean) / spread.deviation;
    }
    return {error(t), {{"explained", explained(t.told, t.truth, t.mask)}}};
  }

  PictureGuess show(EncodedBatch& batch) override {
    const auto pictures = batch.batch().views.at(view_);
    Told t = tell(batch, pictures);
    if (norm_pixels_) {
      const CellSpread spread = spread_of(t.truth, pixels_);
      t.told = t.told * spread.deviation + spread.mean;
    }
    const ModelSpec& spec = batch.model().spec();
    return told_pixels(spec, covered(pictures, t.mask, spec.mean), t.told, t.truth, t.mask);
  }

 protected:
  virtual Told tell(EncodedBatch& batch, const torch::Tensor& pictures) const = 0;
  virtual torch::Tensor error(const Told& t) const = 0;
  std::int64_t pixels() const { return pixels_; }  // a cell's side

 private:
  std::string view_;
  bool norm_pixels_;
  std::int64_t pixels_;
};

// Visible patches as the tower sees them, and one learned token for all hidden ones, through a transformer.
class PatchDecoder : public torch::nn::Module {
 public:
  PatchDecoder(const Init& init, const Grid& grid, std::int64_t pixels, const Options& o)
      : grid_(grid.side), width_(o.width), heads_(o.heads) {
    in_ = add<Linear>(*this, init, "in", grid.width, o.width);
    mask_token_ = register_parameter("mask_token", init.normal("mask_token", {o.width}, 0.02));
    const BlockShape shape{.width = o.width, .heads = o.heads, .mlp = 4 * o.width, .layers = o.layers};
    const AtenWeights weights = AtenWeights(*this, init) / "blocks";
    for (std::int64_t i = 0; i < o.layers; ++i)
      blocks_.push_back(make_block<AtenOps>(weights / std::to_string(i), shape));
    cells_ = add<CellDecoder>(*this, init, "cells", o.width, pixels);
  }

  // tokens [N, prefix + V, D], visible [N, V] int64: which of side x side cells -> [N, 3, S, S]
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& visible, std::int64_t side) const {
    const auto x = in_->forward(tokens);
    const std::int64_t rows = x.size(0), prefix = x.size(1) - visible.size(1);
    const auto where = visible.unsqueeze(2).expand({-1, -1, width_});
    auto cells = mask_token_.expand({rows, side * side, width_}).scatter(1, where, x.slice(1, prefix));
    cells = cells + sincos_positions(side, side, grid_, width_).to(cells.options());
    auto seen = prefix > 0 ? at::cat({x.slice(1, 0, prefix), cells}, 1) : cells;
    for (const auto& block : blocks_) seen = run_block(AtenOps(), block, heads_, seen, torch::Tensor());
    return cells_->forward(seen);
  }

 private:
  std::int64_t grid_, width_, heads_;
  std::shared_ptr<Linear> in_;
  torch::Tensor mask_token_;
  std::vector<Block<AtenOps>> blocks_;
  std::shared_ptr<CellDecoder> cells_;
};

class VisiblePatches : public MaskedPatch {  // MAE
 public:
  VisiblePatches(const Options& o, const Grid& grid, std::int64_t pixels, const Init& init)
      : MaskedPatch(o.view, o.norm_pixels.value_or(true), pixels), share_(o.share.value_or(0.75)) {
    decoder_ = add<PatchDecoder>(*this, init, "decoder", grid, pixels, o);
  }

 protected:
  Told tell(EncodedBatch& batch, const torch::Tensor& pictures) const override {
    const std::int64_t side = pictures.size(2) / pixels(), cells = side * side;
    const auto hidden =
        std::clamp<std::int64_t>(std::llround(share_ * static_cast<double>(cells)), 1, cells - 1);
    const auto draw =
        at::rand({pictures.size(0), cells}, torch::TensorOptions(torch::kFloat).device(pictures.device()));
    const auto order = std::get<1>(draw.sort(1));  // the first `hidden` cells of it are
    const auto visible = order.slice(1, hidden);
    const auto keep = [&](const torch::Tensor& tokens) {  // a class token stays first
      const std::int64_t prefix = tokens.size(1) - cells;
      const auto where = visible.unsqueeze(2).expand({-1, -1, tokens.size(2)});
      const auto patches = tokens.slice(1, prefix).gather(1, where);
      return prefix > 0 ? at::cat({tokens.slice(1, 0, prefix), patches}, 1) : patches;
    };
    const auto tokens = batch.encode_images("masked_patch", pictures, keep).tokens;
    const auto is_hidden = torch::ones_like(draw, torch::kBool).scatter(1, visible, false);
    return {decoder_->forward(tokens, visible, side), batch.model().normalize(pictures),
            pixels_of_cells(is_hidden, pixels(), pictures.size(2))};
  }
  torch::Tensor error(const Told& t) const override { return pixel_error(t.told, t.truth, t.mask); }

 private:
  double share_;
  std::shared_ptr<PatchDecoder> decoder_;
};

class CoveredCells : public MaskedPatch {  // SimMIM
 public:
  CoveredCells(const Options& o, const Grid& grid, std::int64_t pixels, const Init& init)
      : MaskedPatch(o.view, o.norm_pixels.value_or(false), pixels),
        hide_{.mask = "random", .share = o.share.value_or(0.6), .cell = pixels},
        decoder_(add<CellDecoder>(*this, init, "decoder", grid.width, pixels)) {}

 protected:
  Told tell(EncodedBatch& batch, const torch::Tensor& pictures) const override {
    const auto hidden = hide(pictures, hide_, batch.model().spec().mean);
    const auto tokens = batch.encode_images("masked_patch", hidden.pictures).tokens;
    return {decoder_->forward(tokens), batch.model().normalize(pictures), hidden.mask};
  }
  torch::Tensor error(const Told& t) const override { return absolute_pixel_error(t.told, t.truth, t.mask); }

 private:
  HideOptions hide_;
  std::shared_ptr<CellDecoder> decoder_;
};

Options read_options(Config& config) {
  Options o;
  o.view = config.text("view", o.view);
  if (config.has("mask_share")) o.share = config.number("mask_share", 0, {0.01, 0.95});
  if (config.has("norm_pixels")) o.norm_pixels = config.flag("norm_pixels", true);
  for (const char* key : {"decoder_heads", "decoder_layers", "decoder_width"}) {
    if (config.has(key)) o.decoder_key = config.where(key);
  }
  o.width = config.integer("decoder_width", o.width, 8, 8192);
  o.layers = config.integer("decoder_layers", o.layers, 1, 64);
  o.heads = config.integer("decoder_heads", o.heads, 1, 256);
  if (o.width % o.heads != 0) {
    config.fail(config.has("decoder_heads") ? "decoder_heads" : "decoder_width",
                cat("decoder_width (", o.width, ") is no multiple of decoder_heads (", o.heads, ")"),
                "choose heads that divide the width");
  }
  if (o.width % 4 != 0) {
    config.fail("decoder_width", cat("decoder_width (", o.width, ") is no multiple of 4"),
                "positions in a picture need one");
  }
  return o;
}

// (A convolution tower's cells tell pictures of one size, those of the recipe.)
void check_cells(const Config& config, const Surroundings& around, const Options& o) {
  const ImageEncoderSpec& tower = around.image(config);
  const std::int64_t size = tower.has_patches ? around.size_of(o.view) : around.model->image_size;
  if (tower.cells(size) < 2) {
    config.fail("kind", "masked_patch needs pictures of several patches or cells",
                "set a larger image.size, or a smaller image.patch");
  }
  if (!tower.has_patches && !o.decoder_key.empty()) {
    fail(Exit::usage, o.decoder_key, "a convolution tower's cells tell their pixels by one linear map",
         "leave decoder_width, decoder_layers and decoder_heads out, or set image.kind = \"vit\"");
  }
}

}  // namespace

ObjectivePlan read_masked_patch(Config& config, const Surroundings& around) {
  const Options o = read_options(config);
  check_cells(config, around, o);
  const bool has_patches = around.image(config).has_patches;
  const std::int64_t pixels = cell_pixels(config, around);
  return {.needs = {.views = {o.view}, .edits = true, .picture_size = !has_patches},
          .make = [o, has_patches, pixels](const Setting& setting) -> std::shared_ptr<Objective> {
            const Grid grid = grid_of(*setting.model->image, setting.model->spec().image_size);
            if (has_patches) return std::make_shared<VisiblePatches>(o, grid, pixels, setting.init);
            return std::make_shared<CoveredCells>(o, grid, pixels, setting.init);
          }};
}

}  // namespace duet
