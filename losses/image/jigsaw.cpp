// jigsaw: nine tiles of the picture in one of many arrangements; which one? (Noroozi and Favaro 2016.) Each
// tile is cut at a random place of its cell and brought to mean and deviation of its own, so that neither edges
// nor brightness tell.
#include <ATen/ops/arange.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "core/config.h"
#include "core/format.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/image/permutations.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

constexpr std::int64_t kSide = 3, kTiles = kSide * kSide;

struct Options {
  std::string view = "main";
  std::int64_t permutations = 100;  // Noroozi and Favaro: up to 1,000; 100 is usable
  double jitter = 0.15;             // share of a cell's side that a tile may move in it
  std::int64_t tile_size = 0;       // pixels that the tower sees of a tile; 0: half of the picture
  std::int64_t tile_width = 128;    // numbers a tile, before the tiles are seen together
  ProjectionOptions head = {.layers = 2, .hidden = 512, .dimension = 0};
};

class Jigsaw : public Objective, public ShowsPictures {
 public:
  Jigsaw(const Options& options, std::int64_t width, const Init& init) : options_(options) {
    std::vector<torch::Tensor> rows;
    for (const Permutation& order : far_permutations(kTiles, options.permutations, 1))
      rows.push_back(torch::tensor(order, torch::kLong));
    permutations_ = register_buffer("permutations", torch::stack(rows));
    tile_ = add<Linear>(*this, init, "tile", width, options.tile_width);
    head_ = add<Projection>(*this, init, "head", kTiles * options.tile_width, options.head);
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const Solved s = solve(batch);
    return {class_cross_entropy(s.logits, s.kinds), {{"accuracy", accuracy(s.logits, s.kinds)}}};
  }

  PictureGuess show(EncodedBatch& batch) override {
    const Solved s = solve(batch);
    const std::int64_t count = s.kinds.size(0);
    const auto tiles = s.tiles.to(torch::kByte).unflatten(0, {count, kTiles});  // [N, 9, 3, t, t]
    const auto rows = at::arange(count, s.kinds.options()).unsqueeze(1);
    // Tile i came from cell permutation[i]; the tile that belongs to a cell is found by the inverse.
    const auto put_back = [&](const torch::Tensor& kinds) {
      return laid_out(tiles.index({rows, std::get<1>(permutations_.index({kinds}).sort(1))}), kSide);
    };
    const auto answers = s.logits.argmax(1);
    PictureGuess guess{.columns = {{"shuffled", laid_out(tiles, kSide)},
                                   {"solved", put_back(answers)},
                                   {"truth", put_back(s.kinds)}},
                       .words = {},
                       .right = {},
                       .numbers = {{"accuracy", accuracy(s.logits, s.kinds).item<double>()},
                                   {"chance", 1.0 / static_cast<double>(permutations_.size(0))}}};
    const auto placed = permutations_.index({answers}).eq(permutations_.index({s.kinds})).sum(1);  // [N]
    for (std::int64_t row = 0; row < count; ++row) {
      guess.right.push_back((answers[row] == s.kinds[row]).item<bool>());
      guess.words.push_back(cat(placed[row].item<std::int64_t>(), " of ", kTiles, " tiles"));
    }
    return guess;
  }

 private:
  struct Solved {
    torch::Tensor tiles;          // [9N, 3, t, t] float, as they were cut
    torch::Tensor kinds, logits;  // [N], [N, permutations]
  };
  Solved solve(EncodedBatch& batch) const {
    const auto pictures = batch.batch().views.at(options_.view);  // [N, 3, S, S]
    const auto kinds = at::randint(permutations_.size(0), {pictures.size(0)}, permutations_.options());
    const auto tiles = cut(pictures, kinds);
    const auto features = batch.encode_images("jigsaw", evened(tiles)).pooled;  // [9N, width]
    const auto seen = at::gelu(tile_->forward(features)).view({pictures.size(0), -1});
    return {tiles, kinds, head_->forward(seen)};
  }

  // Tile i of a picture is cut from cell permutation[i]. [N, 3, S, S] -> [9N, 3, t, t] float
  torch::Tensor cut(const torch::Tensor& pictures, const torch::Tensor& kinds) const {
    const std::int64_t count = pictures.size(0), cell = pictures.size(2) / kSide;
    const std::int64_t room =
        std::min<std::int64_t>(cell - 1, std::llround(options_.jitter * static_cast<double>(cell)));
    const auto whole = permutations_.options();
    const auto cells = permutations_.index({kinds});  // [N, 9]
    const auto down = at::randint(room + 1, {count, kTiles}, whole);
    const auto right = at::randint(room + 1, {count, kTiles}, whole);
    const auto along = at::arange(cell - room, whole);                                 // [t]
    const auto rows = (cells.div(kSide, "floor") * cell + down).unsqueeze(2) + along;  // [N, 9, t]
    const auto columns = (cells.remainder(kSide) * cell + right).unsqueeze(2) + along;
    return pictures.permute({0, 2, 3, 1})
        .index({at::arange(count, whole).view({count, 1, 1, 1}), rows.unsqueeze(3), columns.unsqueeze(2)})
        .flatten(0, 1)
        .permute({0, 3, 1, 2})
        .to(torch::kFloat);
  }

  // Each with a mean and deviation of its own, as the tower sees it. -> [9N, 3, tile_size, tile_size] uint8
  torch::Tensor evened(const torch::Tensor& tiles) const {
    const auto middle = tiles.mean({1, 2, 3}, true);
    const auto spread =
        (tiles - middle).square().mean({1, 2, 3}, true).sqrt().clamp_min(4);  // flat tiles stay flat
    const auto even = ((tiles - middle) / spread * 64 + 128).clamp(0, 255);
    return at::upsample_bilinear2d(even, {options_.tile_size, options_.tile_size}, false)
        .round()
        .to(torch::kByte)
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  Options options_;
  torch::Tensor permutations_;  // [P, 9] int64
  std::shared_ptr<Linear> tile_;
  std::shared_ptr<Projection> head_;
};

}  // namespace

ObjectivePlan read_jigsaw(Config& config, const Surroundings& around) {
  Options o;
  o.view = config.text("view", o.view);
  o.permutations = config.integer("permutations", o.permutations, 2, 10000);
  o.jitter = config.number("jitter", o.jitter, {0, 0.5});
  o.tile_size = config.integer("tile_size", o.tile_size, 0, 4096);
  o.tile_width = config.integer("tile_width", o.tile_width, 2, 65536);
  o.head.layers = config.integer("head_layers", o.head.layers, 1, 8);
  o.head.hidden = config.integer("head_hidden", o.head.hidden, 2, 65536);
  o.head.dimension = o.permutations;
  const ImageEncoderSpec& tower = around.image(config);
  if (o.tile_size == 0) o.tile_size = std::max<std::int64_t>(1, around.model->image_size / 2);
  if (tower.has_patches && o.tile_size % tower.stride != 0) {
    config.fail(
        "kind",
        cat("tiles of ", o.tile_size, " pixels are no whole number of the tower's patches of ", tower.stride),
        cat("set tile_size to a multiple of ", tower.stride));
  }
  return {.needs = {.views = {o.view}, .edits = true}, .make = [o](const Setting& setting) {
            return std::make_shared<Jigsaw>(o, setting.model->image->width(), setting.init);
          }};
}

}  // namespace duet
