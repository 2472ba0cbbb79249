#include "losses/shown.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include "core/format.h"
#include "losses/image/pixels.h"

namespace duet {

torch::Tensor pictures_of(const ModelSpec& spec, const torch::Tensor& normalised) {
  const auto channel = [&](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat).view({1, 3, 1, 1}).to(normalised.device());
  };
  return ((normalised * channel(spec.std) + channel(spec.mean)) * 255).round().clamp(0, 255).to(torch::kByte);
}

torch::Tensor laid_out(const torch::Tensor& tiles, std::int64_t side) {
  const std::int64_t tile = tiles.size(3), pitch = tile + 1;
  auto picture = at::full({tiles.size(0), 3, side * pitch - 1, side * pitch - 1}, 255, tiles.options());
  for (std::int64_t i = 0; i < side * side; ++i) {
    picture.narrow(2, i / side * pitch, tile).narrow(3, i % side * pitch, tile).copy_(tiles.select(1, i));
  }
  return picture;
}

PictureGuess told_pixels(const ModelSpec& spec, const torch::Tensor& shown, const torch::Tensor& told,
                         const torch::Tensor& truth, const torch::Tensor& mask) {
  const auto pictures = pictures_of(spec, truth);
  const auto answer = pictures_of(spec, told);
  PictureGuess guess{.columns = {{"hidden", shown},
                                 {"told", mask.defined() ? at::where(mask, answer, pictures) : answer},
                                 {"truth", pictures}},
                     .words = {},
                     .right = {},
                     .numbers = {{"mean_error", pixel_error(told, truth, mask).item<double>()},
                                 {"explained", explained(told, truth, mask).item<double>()}}};
  for (std::int64_t row = 0; row < truth.size(0); ++row) {
    const auto one = [row](const torch::Tensor& all) {
      return all.defined() ? all.slice(0, row, row + 1) : torch::Tensor();
    };
    guess.words.push_back(
        cat("error ", fixed(pixel_error(one(told), one(truth), one(mask)).item<double>(), 3)));
  }
  return guess;
}

}  // namespace duet
