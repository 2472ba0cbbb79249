#include "encoders/model.h"

#include <cmath>
#include <numeric>

#include "core/format.h"
#include "encoders/blocks.h"
#include "encoders/pixel_features.h"

namespace duet {
namespace {

std::vector<double> read_colours(Config& config, std::string_view key, const std::vector<double>& fallback,
                                 Range range) {
  std::vector<double> values = config.numbers(key, fallback, range);
  if (values.size() != 3)
    config.fail(key, "three numbers are needed",
                "give one for red, green and blue, each for pixels from 0 to 1");
  return values;
}

}  // namespace

ModelSpec read_model(Config& recipe) {
  ModelSpec spec;
  const bool neither = !recipe.has("image") && !recipe.has("text");
  if (neither || recipe.has("image")) {
    Config image = recipe.table("image");
    spec.image_size = image.integer("size", spec.image_size, 8, 4096);
    spec.resize = image.choice("resize", spec.resize, {"pad", "crop", "squash"});
    spec.mean = read_colours(image, "mean", spec.mean, {0, 1});
    spec.std = read_colours(image, "std", spec.std, {1e-3, 10});
    spec.image = read_image_encoder(image, spec.image_size);
  }
  if (neither || recipe.has("text")) {
    Config text = recipe.table("text");
    spec.text = read_text_encoder(text);
  }
  if (spec.image && spec.text.make) {
    spec.spaces = read_spaces(recipe);
  } else if (recipe.has("space")) {
    recipe.fail("space", "an embedding space needs both [image] and [text]",
                "add the other tower or remove [[space]]");
  }
  return spec;
}

Model::Model(const ModelSpec& spec, std::int64_t vocabulary, std::uint64_t seed)
    : spec_(spec), vocabulary_(vocabulary) {
  const Init init(seed);
  SpaceSetting setting{.vocabulary = vocabulary};
  if (spec.image) {
    image = register_module("image", spec.image.make(init / "image"));
    setting.image_width = image->width();
  }
  if (spec.text.make) {
    text = register_module("text", spec.text.make(init / "text", vocabulary));
    setting.text_width = text->width();
  }
  if (spec.spaces.empty()) return;
  const auto folder = register_module("spaces", std::make_shared<torch::nn::Module>("spaces"));
  for (const SpaceSpec& space : spec.spaces) {
    spaces_.push_back(folder->register_module(space.name, space.make(init / "spaces" / space.name, setting)));
    weights_.push_back(space.weight);
  }
}

torch::Tensor Model::normalize(const torch::Tensor& images) const {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3, "normalize: pictures must be [B, 3, H, W]");
  std::vector<float> scale, shift;
  for (std::size_t c = 0; c < 3; ++c) {
    scale.push_back(static_cast<float>(1 / (255 * spec_.std[c])));
    shift.push_back(static_cast<float>(-spec_.mean[c] / spec_.std[c]));
  }
  const auto along_channels = [&](const std::vector<float>& values) {
    return torch::tensor(values).view({1, 3, 1, 1}).to(images.device());
  };
  return (images * along_channels(scale)).add_(along_channels(shift));
}

Space& Model::space(std::string_view name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < spaces_.size(); ++i) {
    if (spec_.spaces[i].name == name) return *spaces_[i];
    names.push_back(spec_.spaces[i].name);
  }
  fail(Exit::usage, cat("space '", name, "'"), "the model has no such embedding space",
       names.empty() ? "it has none: both [image] and [text] are needed"
                     : cat("it has: ", joined(names), did_you_mean(name, names)));
}

bool Model::has_space(std::string_view name) const {
  return std::any_of(spec_.spaces.begin(), spec_.spaces.end(),
                     [name](const SpaceSpec& space) { return space.name == name; });
}

torch::Tensor Model::image_embedding(std::string_view name, const torch::Tensor& pooled) {
  return unit(space(name).image(pooled));
}

torch::Tensor Model::text_embedding(std::string_view name, const torch::Tensor& pooled,
                                    const torch::Tensor& ids, const torch::Tensor& valid) {
  return unit(space(name).text(pooled, ids, valid));
}

// Each weighted space's unit vectors times its share, side by side.
template <class UnitVectors>
static torch::Tensor concatenated(const std::vector<double>& weights, UnitVectors unit_vectors) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.);
  std::vector<torch::Tensor> parts;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) parts.push_back(unit_vectors(i) * std::sqrt(weights[i] / sum));
  }
  TORCH_CHECK(!parts.empty(), "no embedding space has a weight");
  return at::cat(parts, 1);
}

bool Model::sees_pixels() const {
  return std::any_of(spaces_.begin(), spaces_.end(), [](const auto& space) { return space->sees_pixels(); });
}

std::int64_t Model::feature_width() const { return image->width() + (sees_pixels() ? kPixelFeatures : 0); }

torch::Tensor Model::image_features(const torch::Tensor& images, Precision precision) {
  TORCH_CHECK(image, "the model has no picture tower");
  torch::Tensor pooled;
  {
    const Autocast autocast(precision, images.device());
    pooled = image->forward(normalize(images));
  }
  pooled = pooled.to(torch::kFloat);
  return sees_pixels() ? at::cat({pooled, pixel_features(images)}, 1) : pooled;
}

torch::Tensor Model::retrieval_of_image_features(const torch::Tensor& features) {
  const auto pooled = features.narrow(1, 0, image->width());
  return concatenated(weights_, [&](std::size_t i) {
    return unit(spaces_[i]->image(spaces_[i]->sees_pixels() ? features : pooled));
  });
}

torch::Tensor Model::retrieval_texts(const torch::Tensor& ids, const torch::Tensor& valid) {
  TORCH_CHECK(text, "the model has no text tower");
  const auto pooled = text->forward(ids, valid).to(torch::kFloat);
  return concatenated(weights_, [&](std::size_t i) { return unit(spaces_[i]->text(pooled, ids, valid)); });
}

std::int64_t Model::retrieval_dimension() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < spaces_.size(); ++i) {
    if (weights_[i] > 0) sum += spaces_[i]->dimension();
  }
  return sum;
}

std::vector<double> Model::weights() const { return weights_; }

void Model::set_weights(const std::vector<double>& weights) {
  TORCH_CHECK(weights.size() == spaces_.size(), "set_weights: one weight a space");
  weights_ = weights;
}

void Model::prepare_for_corpus(const torch::Tensor& seen, const torch::Tensor& idf) {
  if (text) {
    text->set_seen(seen);
    text->set_idf(idf);
  }
  for (const auto& space : spaces_) {
    if (const auto pieces = std::dynamic_pointer_cast<PieceSpace>(space)) pieces->set_idf(idf);
  }
}

void Model::clamp_logit_scales() {
  for (const auto& space : spaces_) space->clamp_logit_scale();
}

}  // namespace duet
