// Pictures with a part hidden, and pixels from a tower's cells: what generative objectives on pictures share.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/objective.h"

namespace duet {

struct HideOptions {
  std::string mask =
      "block";            // block: a square anywhere; random: cells of `cell` pixels; blur: a square, blurred
  double share = 0.25;    // of the area (Pathak et al. 2016: the middle quarter; SimMIM: 0.6 of the cells)
  std::int64_t cell = 8;  // pixels a side
};
HideOptions read_hide(Config& objective);  // keys mask, mask_share, mask_cell

struct HiddenPart {
  torch::Tensor pictures;  // [N, 3, S, S] uint8, channels_last
  torch::Tensor mask;      // [N, 1, S, S] bool: hidden
};
// pictures [N, 3, S, S] uint8; colour [3]: what hides, 0..1. Draws from the default generator.
HiddenPart hide(const torch::Tensor& pictures, const HideOptions& options, const std::vector<double>& colour);

// The same pictures, of one colour where `mask` [N, 1, S, S] is true.
torch::Tensor covered(const torch::Tensor& pictures, const torch::Tensor& mask,
                      const std::vector<double>& colour);
// Which pixels the hidden ones of side x side cells of `cell` pixels cover: [N, side * side] bool -> [N, 1,
// size, size] bool; the last cells may be cut.
torch::Tensor pixels_of_cells(const torch::Tensor& hidden, std::int64_t cell, std::int64_t size);

// The grid of a tower's tokens for square pictures: N tokens are side x side cells, behind a class token or
// not.
struct Grid {
  std::int64_t side = 0, width = 0;  // cells a side, numbers a token
};
Grid grid_of(ImageEncoder& tower, std::int64_t picture_size);
// A side of the square of pixels that each cell tells. Error(usage) at the objective's line when the recipe's
// pictures are no whole number of them.
std::int64_t cell_pixels(const Config& objective, const Surroundings& around);

// Each cell tells its own square of pixels by one linear map (SimMIM, Xie et al. 2022: as good as deeper
// heads).
class CellDecoder : public torch::nn::Module {
 public:
  // pixels: a side of what one cell tells
  CellDecoder(const Init& init, std::int64_t width, std::int64_t pixels);
  torch::Tensor forward(const torch::Tensor& tokens) const;  // [N, cells, D] -> [N, 3, S, S]

 private:
  std::int64_t pixels_;
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> linear_;
};

// Mean squared error of normalised pixels where `mask` [N, 1, S, S] is true; undefined: everywhere -> []
torch::Tensor pixel_error(const torch::Tensor& told, const torch::Tensor& truth,
                          const torch::Tensor& mask = {});
// The same of the absolute error, of masked pixels.
torch::Tensor absolute_pixel_error(const torch::Tensor& told, const torch::Tensor& truth,
                                   const torch::Tensor& mask);
// 1 - error / error of telling the mean of what is judged: 0 for a picture of one colour, 1 for the truth ->
// [], detached
torch::Tensor explained(const torch::Tensor& told, const torch::Tensor& truth, const torch::Tensor& mask = {});

}  // namespace duet
