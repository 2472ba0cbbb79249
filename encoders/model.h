// The two towers and their embedding spaces. Parameter names are a file format: image.*, text.*, spaces.NAME.*.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "encoders/image_encoder.h"
#include "encoders/space.h"
#include "encoders/text_encoder.h"
#include "tensors/device.h"

namespace duet {

struct ModelSpec {
  ImageEncoderSpec image;
  TextEncoderSpec text;
  std::vector<SpaceSpec> spaces;  // empty when a tower is missing
  std::int64_t image_size = 64;
  std::string resize = "pad";  // how pictures become squares: pad (on white) | crop (the middle) | squash
  std::vector<double> mean = {0.5, 0.5, 0.5}, std = {0.5, 0.5, 0.5};
};
// [image], [text], [[space]] of a recipe. [image] size, resize, mean, std; a recipe without [image] or [text]
// has one tower, and one without either has both with their defaults.
ModelSpec read_model(Config& recipe);

class Model : public torch::nn::Module {
 public:
  Model(const ModelSpec& spec, std::int64_t vocabulary, std::uint64_t seed);

  // [B, 3, H, W] uint8 -> float, (x / 255 - mean) / std, channels_last kept.
  torch::Tensor normalize(const torch::Tensor& images) const;
  // What the spaces see of pictures, [B, feature_width()] fp32: the tower's pooled feature and, where a space
  // wants them, pixel_features() beside it. images [B, 3, H, W] uint8.
  torch::Tensor image_features(const torch::Tensor& images, Precision precision = Precision::fp32);
  std::int64_t feature_width() const;
  Space& space(std::string_view name);  // Error(usage) listing the spaces there are
  bool has_space(std::string_view name) const;

  // Unit vectors in one space, fp32.
  torch::Tensor image_embedding(std::string_view space, const torch::Tensor& pooled);
  torch::Tensor text_embedding(std::string_view space, const torch::Tensor& pooled, const torch::Tensor& ids,
                               const torch::Tensor& valid);
  // The retrieval embedding [B, sum of dimensions of spaces with weight > 0], unit length: each space's unit
  // vector times sqrt(weight / sum of weights), so that the inner product is the weighted mean of the cosines.
  // Called outside autocast.
  torch::Tensor retrieval_of_image_features(const torch::Tensor& features);  // of image_features()
  torch::Tensor retrieval_texts(const torch::Tensor& ids, const torch::Tensor& valid);
  std::int64_t retrieval_dimension() const;

  std::vector<double> weights() const;  // one per space; buffers are not used: stored in the checkpoint's facts
  void set_weights(const std::vector<double>& weights);
  void clamp_logit_scales();

  // Once, before training: token rows of pieces that no caption holds become zero (TextEncoder::set_seen),
  // every PieceSpace gets its idf. seen [V] bool, idf [V] float.
  void prepare_for_corpus(const torch::Tensor& seen, const torch::Tensor& idf);

  std::shared_ptr<ImageEncoder> image;  // may be null
  std::shared_ptr<TextEncoder> text;    // may be null
  const ModelSpec& spec() const { return spec_; }
  std::int64_t vocabulary() const { return vocabulary_; }

 private:
  bool sees_pixels() const;

  ModelSpec spec_;
  std::int64_t vocabulary_;
  std::vector<std::shared_ptr<Space>> spaces_;
  std::vector<double> weights_;
};

}  // namespace duet
