// Small towers for tests, from recipe text.
#pragma once
#include <torch/types.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "encoders/image_encoder.h"
#include "encoders/model.h"
#include "encoders/text_encoder.h"
#include "tensors/tensor_file.h"

namespace duet {

ImageEncoderSpec image_spec(std::string_view toml, std::int64_t size);
TextEncoderSpec text_spec(std::string_view toml);
std::shared_ptr<ImageEncoder> image_tower(std::string_view toml, std::int64_t size, std::uint64_t seed = 1);
std::shared_ptr<TextEncoder> text_tower(std::string_view toml, std::int64_t vocabulary, std::uint64_t seed = 1);
std::shared_ptr<Model> model_of(std::string_view toml, std::int64_t vocabulary, std::uint64_t seed = 1);

// Every parameter drawn anew, so that zero gains and biases cannot hide a fault.
void randomise(torch::nn::Module& module, std::int64_t seed = 5);

TensorMap golden(const std::string& tower);  // "mean" -> tensor, of tests/golden/encoders.safetensors
void load_golden_weights(torch::nn::Module& module, const std::string& tower);
TensorMap state_of(const torch::nn::Module& module);  // parameters and buffers by name

double distance(const torch::Tensor& a, const torch::Tensor& b);  // largest difference; shapes must agree
torch::Tensor valid_of(std::initializer_list<std::int64_t> lengths, std::int64_t length);
torch::Tensor random_images(std::int64_t batch, std::int64_t size, std::int64_t seed = 3);
std::int64_t parameters_without_gradient(const torch::nn::Module& module);

}  // namespace duet
