#include "losses/image/pixels.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace duet {
namespace {

// [N, 1, S, S]: a square of `share` of the area, anywhere in each picture.
torch::Tensor squares(const torch::Tensor& pictures, double share) {
  const std::int64_t count = pictures.size(0), size = pictures.size(2);
  const std::int64_t side =
      std::clamp<std::int64_t>(std::llround(static_cast<double>(size) * std::sqrt(share)), 1, size);
  const auto integers = torch::TensorOptions(torch::kLong).device(pictures.device());
  const auto top = at::randint(size - side + 1, {count}, integers),
             left = at::randint(size - side + 1, {count}, integers);
  const auto along = at::arange(size, integers);
  const auto inside = [&](const torch::Tensor& begin) {  // [N, S]
    return (along >= begin.unsqueeze(1)).logical_and(along < begin.unsqueeze(1) + side);
  };
  return inside(top).view({count, 1, size, 1}).logical_and(inside(left).view({count, 1, 1, size}));
}

// [N, 1, S, S]: this share of the cells, those with the smallest draws.
torch::Tensor cells(const torch::Tensor& pictures, double share, std::int64_t cell) {
  const std::int64_t count = pictures.size(0), size = pictures.size(2), side = (size + cell - 1) / cell;
  const std::int64_t hidden =
      std::clamp<std::int64_t>(std::llround(share * static_cast<double>(side * side)), 1, side * side);
  const auto draw =
      at::rand({count, side * side}, torch::TensorOptions(torch::kFloat).device(pictures.device()));
  const auto last = std::get<0>(draw.sort(1)).slice(1, hidden - 1, hidden);  // [N, 1]
  return pixels_of_cells(draw <= last, cell, size);
}

}  // namespace

HideOptions read_hide(Config& objective) {
  HideOptions o;
  o.mask = objective.choice("mask", o.mask, {"block", "random", "blur"});
  o.share = objective.number("mask_share", o.mask == "random" ? 0.6 : o.share, {0.01, 0.95});
  o.cell = objective.integer("mask_cell", o.cell, 1, 1024);
  return o;
}

HiddenPart hide(const torch::Tensor& pictures, const HideOptions& options, const std::vector<double>& colour) {
  const auto mask = options.mask == "random" ? cells(pictures, options.share, options.cell)
                                             : squares(pictures, options.share);
  if (options.mask != "blur") return {covered(pictures, mask, colour), mask};
  const std::int64_t reach = std::max<std::int64_t>(1, pictures.size(2) / 8);
  const auto blurred = at::avg_pool2d(pictures.to(torch::kFloat), 2 * reach + 1, 1, reach, false, false);
  return {
      at::where(mask, blurred.round().to(torch::kByte), pictures).contiguous(at::MemoryFormat::ChannelsLast),
      mask};
}

torch::Tensor covered(const torch::Tensor& pictures, const torch::Tensor& mask,
                      const std::vector<double>& colour) {
  const auto bytes = (torch::tensor(colour, torch::kFloat) * 255).round().to(torch::kByte);
  return at::where(mask, bytes.view({1, 3, 1, 1}).to(pictures.device()), pictures)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

torch::Tensor pixels_of_cells(const torch::Tensor& hidden, std::int64_t cell, std::int64_t size) {
  const std::int64_t side = (size + cell - 1) / cell;
  return hidden.view({-1, 1, side, side})
      .repeat_interleave(cell, 2)
      .repeat_interleave(cell, 3)
      .slice(2, 0, size)
      .slice(3, 0, size);
}

Grid grid_of(ImageEncoder& tower, std::int64_t picture_size) {
  const torch::NoGradGuard no_grad;
  const bool trained = tower.is_training();
  tower.eval();  // leaves running statistics alone
  const auto tokens =
      tower.embed(torch::zeros({1, 3, picture_size, picture_size},
                               tower.parameters().front().options().dtype(torch::kFloat).requires_grad(false)));
  tower.train(trained);
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(tokens.size(1))));
  return {side, tokens.size(2)};
}

std::int64_t cell_pixels(const Config& objective, const Surroundings& around) {
  const std::int64_t size = around.model->image_size, side = around.image(objective).cells(size);
  if (size % side != 0) {
    objective.fail(
        "kind", cat("pictures of ", size, " pixels are no whole number of pixels for each of ", side, " cells"),
        cat("set image.size to a multiple of ", side));
  }
  return size / side;
}

CellDecoder::CellDecoder(const Init& init, std::int64_t width, std::int64_t pixels)
    : pixels_(pixels),
      norm_(add<LayerNorm>(*this, init, "norm", width)),
      linear_(add<Linear>(*this, init, "linear", width, 3 * pixels * pixels)) {}

torch::Tensor CellDecoder::forward(const torch::Tensor& tokens) const {
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(tokens.size(1))));
  const auto in_grid = tokens.slice(1, tokens.size(1) - side * side);
  const auto told = linear_->forward(norm_->forward(in_grid)).view({-1, side, side, 3, pixels_, pixels_});
  return told.permute({0, 3, 1, 4, 2, 5}).reshape({-1, 3, side * pixels_, side * pixels_});
}

torch::Tensor pixel_error(const torch::Tensor& told, const torch::Tensor& truth, const torch::Tensor& mask) {
  const auto error = (told - truth).square();
  return mask.defined() ? (error * mask).sum() / (3 * mask.sum()) : error.mean();
}

torch::Tensor absolute_pixel_error(const torch::Tensor& told, const torch::Tensor& truth,
                                   const torch::Tensor& mask) {
  return ((told - truth).abs() * mask).sum() / (3 * mask.sum());
}

torch::Tensor explained(const torch::Tensor& told, const torch::Tensor& truth, const torch::Tensor& mask) {
  const auto judged = mask.defined() ? mask.to(torch::kFloat) : torch::ones_like(truth.slice(1, 0, 1));
  const auto mean = (truth * judged).sum({2, 3}, true) / judged.sum({2, 3}, true);
  return 1 - pixel_error(told.detach(), truth, mask) / pixel_error(mean, truth, mask).clamp_min(1e-12);
}

}  // namespace duet
