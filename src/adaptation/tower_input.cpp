#include "adaptation/tower_input.h"

#include <ATen/ops/cat.h>

#include "encoders/pixel_features.h"

namespace duet {
namespace {

// Pixels that are held at most; beyond them pictures are decoded each time.
constexpr std::int64_t kKeptBytes = std::int64_t{512} << 20;

torch::Tensor text_feature(Model& model, const torch::Tensor& ids, const torch::Tensor& valid) {
  return model.text->forward(ids, valid).to(torch::kFloat);
}

// InferSent's (Conneau et al. 2017): what two sentences have of each other.
torch::Tensor pair_feature(const torch::Tensor& a, const torch::Tensor& b) {
  return at::cat({a, b, (a - b).abs(), a * b}, 1);
}

}  // namespace

bool fits_in_memory(const EmbedSetting& setting, const Part& part) {
  if (part.data->texts) return true;
  const std::int64_t size = setting.preprocessing.size;
  return static_cast<std::int64_t>(part.items.size()) * 3 * size * size <= kKeptBytes;
}

std::string_view tower_of(const Labelled& data) { return data.texts ? "text" : "image"; }

torch::Tensor head_input(const EmbedSetting& setting, const TowerInput& items, std::string_view input) {
  Model& model = *setting.model;
  if (items.images.defined()) {
    const auto features = model.image_features(items.images.to(setting.device), setting.precision);
    return input == "rows" ? model.retrieval_of_image_features(features)
                           : features.narrow(1, 0, model.image->width());
  }
  const auto ids = items.ids.to(setting.device), valid = items.valid.to(setting.device);
  if (input == "rows") return model.retrieval_texts(ids, valid);
  const auto feature = text_feature(model, ids, valid);
  if (!items.second_ids.defined()) return feature;
  return pair_feature(
      feature, text_feature(model, items.second_ids.to(setting.device), items.second_valid.to(setting.device)));
}

std::int64_t head_width(const Model& model, const Labelled& data, std::string_view input) {
  if (input == "rows") return model.retrieval_dimension();
  if (!data.texts) return model.image->width();
  return holds_pairs(data) ? 4 * model.text->width() : model.text->width();
}

TowerInput text_input(const EmbedSetting& setting, const Labelled& data,
                      const std::vector<std::int64_t>& rows) {
  const auto encoded = [&](std::size_t which) {
    std::vector<std::string> texts;
    for (const std::int64_t row : rows)
      texts.push_back(data.source.pairs.at(static_cast<std::size_t>(row)).captions.at(which));
    return encode_captions(*setting.tokenizer, texts, setting.text_format, setting.pad_to_context);
  };
  TowerInput input;
  std::tie(input.ids, input.valid) = encoded(0);
  if (holds_pairs(data)) std::tie(input.second_ids, input.second_valid) = encoded(1);
  return input;
}

TowerInputs::TowerInputs(const EmbedSetting& setting, const Part& part, bool keep) : part_(part) {
  if (!keep || !fits_in_memory(setting, part)) return;
  std::vector<TowerInput> all;
  for_each(setting, [&all](const TowerInput& items) { all.push_back(items); });
  kept_ = std::move(all);
}

void TowerInputs::for_each(const EmbedSetting& setting,
                           const std::function<void(const TowerInput&)>& visit) const {
  const Labelled& data = *part_.data;
  if (!data.texts) {
    for_each_image(data.source.subset(part_.items, data.source.name), setting.preprocessing,
                   static_cast<int>(setting.batch), setting.workers, setting.max_pixels, setting.bad_pictures,
                   [&](std::int64_t, const torch::Tensor& images) { visit({.images = images}); });
    return;
  }
  const auto batch = static_cast<std::size_t>(setting.batch);
  for (std::size_t begin = 0; begin < part_.items.size(); begin += batch) {
    const auto first = part_.items.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = static_cast<std::ptrdiff_t>(std::min(batch, part_.items.size() - begin));
    visit(text_input(setting, data, {first, first + count}));
  }
}

torch::Tensor TowerInputs::head_inputs(const EmbedSetting& setting, std::string_view input) const {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parts;
  const auto add = [&](const TowerInput& items) {
    parts.push_back(head_input(setting, items, input).to(torch::kCPU));
  };
  if (kept_.empty()) {
    for_each(setting, add);
  } else {
    for (const TowerInput& items : kept_) add(items);
  }
  return parts.empty() ? torch::zeros({0, head_width(*setting.model, *part_.data, input)}) : at::cat(parts);
}

}  // namespace duet
