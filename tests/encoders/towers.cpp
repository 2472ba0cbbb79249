#include "towers.h"

#include <gtest/gtest.h>

namespace duet {

ImageEncoderSpec image_spec(std::string_view toml, std::int64_t size) {
  Config config = Config::parse(toml, "test.toml");
  const ImageEncoderSpec spec = read_image_encoder(config, size);
  config.finish();
  return spec;
}

TextEncoderSpec text_spec(std::string_view toml) {
  Config config = Config::parse(toml, "test.toml");
  const TextEncoderSpec spec = read_text_encoder(config);
  config.finish();
  return spec;
}

std::shared_ptr<ImageEncoder> image_tower(std::string_view toml, std::int64_t size, std::uint64_t seed) {
  return image_spec(toml, size).make(Init(seed) / "image");
}

std::shared_ptr<TextEncoder> text_tower(std::string_view toml, std::int64_t vocabulary, std::uint64_t seed) {
  return text_spec(toml).make(Init(seed) / "text", vocabulary);
}

std::shared_ptr<Model> model_of(std::string_view toml, std::int64_t vocabulary, std::uint64_t seed) {
  Config config = Config::parse(toml, "test.toml");
  const ModelSpec spec = read_model(config);
  config.finish();
  return std::make_shared<Model>(spec, vocabulary, seed);
}

void randomise(torch::nn::Module& module, std::int64_t seed) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(static_cast<std::uint64_t>(seed));
  for (auto& parameter : module.parameters()) parameter.normal_(.1, .3);
}

TensorMap golden(const std::string& tower) {
  static const TensorMap all = load_tensors(std::string(DUET_GOLDEN) + "/encoders.safetensors");
  TensorMap own;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(tower + "/")) own[name.substr(tower.size() + 1)] = tensor;
  }
  return own;
}

TensorMap state_of(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

void load_golden_weights(torch::nn::Module& module, const std::string& tower) {
  TensorMap values;
  for (const auto& [name, tensor] : golden(tower + "/weights")) values[name] = tensor;
  torch::NoGradGuard no_grad;
  copy_into(state_of(module), values, "golden " + tower);
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.sizes() != b.sizes()) {
    ADD_FAILURE() << "shapes " << a.sizes() << " and " << b.sizes();
    return 1e9;
  }
  return (a.detach().to(torch::kDouble) - b.detach().to(torch::kDouble)).abs().max().item<double>();
}

torch::Tensor valid_of(std::initializer_list<std::int64_t> lengths, std::int64_t length) {
  const auto count = torch::tensor(std::vector<std::int64_t>(lengths)).unsqueeze(1);
  return at::arange(length, torch::kLong).unsqueeze(0) < count;
}

torch::Tensor random_images(std::int64_t batch, std::int64_t size, std::int64_t seed) {
  torch::manual_seed(static_cast<std::uint64_t>(seed));
  return at::randn({batch, 3, size, size}, torch::kFloat);
}

std::int64_t parameters_without_gradient(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& item : module.named_parameters()) {
    const auto gradient = item.value().grad();
    if (gradient.defined() && gradient.abs().sum().item<double>() > 0) continue;
    ADD_FAILURE() << item.key() << " got no gradient";
    ++count;
  }
  return count;
}

}  // namespace duet
