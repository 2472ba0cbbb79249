#include "adaptation/methods/prompts.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/embedding.h>

#include <numeric>

#include "datasets/captions.h"
#include "encoders/blocks.h"

namespace duet {
namespace {

// [BOS] and [CLS] come before the words.
std::int64_t leading_specials(const TextFormat& format) { return format.bos + format.cls; }

bool is_learned(const SpaceSpec& space) { return space.kind == "projection"; }

}  // namespace

PromptTexts prompt_texts(const AdaptationTask& task, const std::vector<std::int64_t>& words) {
  TextFormat room = task.setting.text_format;
  room.context -= static_cast<std::int64_t>(words.size());
  const std::int64_t first = leading_specials(room);
  std::vector<std::vector<std::int64_t>> texts;
  for (const std::string& name : task.name_vectors.names) {
    texts.push_back(encode_caption(*task.setting.tokenizer, name, room));
    texts.back().insert(texts.back().begin() + first, words.begin(), words.end());
  }
  std::size_t longest = 1;
  for (const auto& text : texts) longest = std::max(longest, text.size());
  // Not a token more than is needed: each costs a pass of the tower in every step.
  const std::int64_t length =
      task.setting.pad_to_context ? task.setting.text_format.context : static_cast<std::int64_t>(longest);
  const auto [ids, valid] = padded(texts, task.setting.tokenizer->id(kPad), length, true);
  return {.ids = ids, .valid = valid, .first = first, .words = static_cast<std::int64_t>(words.size())};
}

Prompts::Prompts(const EmbedSetting& setting, PromptTexts texts, const NameVectors& names)
    : model_(*setting.model),
      texts_(std::move(texts)),
      fixed_(names.vectors.to(setting.device)),
      class_of_(names.classes.to(setting.device)) {
  TORCH_CHECK(texts_.ids.size(0) == fixed_.size(0), "a text for each name");
  const torch::NoGradGuard no_grad;
  texts_.ids = texts_.ids.to(setting.device);
  texts_.valid = texts_.valid.to(setting.device);
  embedded_ = model_.text->embed(texts_.ids);
}

bool Prompts::can_learn() const {
  const std::vector<double> weights = model_.weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0 && is_learned(model_.spec().spaces[i])) return true;
  }
  return false;
}

torch::Tensor Prompts::word_vectors() const {
  const torch::NoGradGuard no_grad;
  return at::embedding(model_.text->token_table(), texts_.ids[0].narrow(0, texts_.first, texts_.words));
}

torch::Tensor Prompts::name_vectors(const torch::Tensor& change) const {
  TextEncoder& tower = *model_.text;
  const std::int64_t after = embedded_.size(1) - texts_.first - texts_.words;
  const auto own = change.to(embedded_.device());
  const auto each = own.dim() == 3 ? own.index_select(0, class_of_) : own;
  const auto placed = at::constant_pad_nd(each, {0, 0, texts_.first, after});
  const auto tokens = tower.encode(embedded_ + placed, texts_.valid, tower.causal_by_default());
  const auto pooled = tower.pool(tokens, texts_.valid).to(torch::kFloat);
  const std::vector<double> weights = model_.weights();
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.);
  std::vector<torch::Tensor> parts;
  std::int64_t column = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    const SpaceSpec& space = model_.spec().spaces[i];
    const std::int64_t dimension = model_.space(space.name).dimension();
    parts.push_back(is_learned(space) ? model_.text_embedding(space.name, pooled, texts_.ids, texts_.valid) *
                                            std::sqrt(weights[i] / sum)
                                      : fixed_.narrow(1, column, dimension));
    column += dimension;
  }
  return unit(at::cat(parts, 1)).to(torch::kCPU);
}

}  // namespace duet
