// Picture towers: three calls, so that objectives can gather, mask or replace tokens between them.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "encoders/init.h"

namespace duet {

class ImageEncoder : public torch::nn::Module {
 public:
  // [B, 3, H, W] float, normalised -> tokens [B, N, D]. A ViT's are its patches with positions (interpolated
  // for other sizes) and, first, its class token if it has one; a convolution encoder's are the cells of its
  // last map, row by row.
  virtual torch::Tensor embed(const torch::Tensor& images) = 0;
  virtual torch::Tensor encode(
      const torch::Tensor& tokens) = 0;  // [B, N, D] -> [B, N, D]; identity for convolution encoders
  virtual torch::Tensor pool(const torch::Tensor& tokens) = 0;  // [B, N, D] -> [B, width()]
  virtual std::int64_t width() const = 0;                       // of the pooled feature

  // pool(encode(embed(images))); a tower that needs fewer tokens for its pooled feature alone computes fewer.
  virtual torch::Tensor forward(const torch::Tensor& images) { return pool(encode(embed(images))); }
};

// What a recipe says of a tower, known before there is one.
struct ImageEncoderSpec {
  std::function<std::shared_ptr<ImageEncoder>(const Init&)> make;  // null: no picture tower
  bool has_patches = false;  // tokens may be gathered or replaced before encode
  std::int64_t stride = 1;   // pixels from a token to the next: a patch's side, or what convolutions skip
  std::int64_t cells(std::int64_t image_size) const { return (image_size + stride - 1) / stride; }  // a side
  explicit operator bool() const { return static_cast<bool>(make); }
};
// [image] kind = "...": checks its keys.
struct ImageEncoderKind {
  std::string_view name;
  ImageEncoderSpec (*read)(Config& config, std::int64_t image_size);
};
const std::vector<ImageEncoderKind>& image_encoder_kinds();
ImageEncoderSpec read_image_encoder(Config& config, std::int64_t image_size);

}  // namespace duet
