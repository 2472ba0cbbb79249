#include "adaptation/methods/prompts.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/one_hot.h>

#include <numeric>

#include "datasets/captions.h"
#include "encoders/blocks.h"

namespace duet {
namespace {

// [BOS] and [CLS] come before the words.
std::int64_t leading_specials(const TextFormat& format) { return format.bos + format.cls; }

bool is_learned(const SpaceSpec& space) { return space.kind == "projection"; }

// [C, T] rows of 1 / (number of a class's texts)
torch::Tensor mean_over(const torch::Tensor& owner, std::int64_t classes) {
  const auto belongs = at::one_hot(owner, classes).t().to(torch::kFloat);
  return belongs / belongs.sum(1, true).clamp_min(1);
}

}  // namespace

PromptTexts prompt_texts(const AdaptationTask& task, const std::vector<std::int64_t>& words) {
  TextFormat room = task.setting.text_format;
  room.context -= static_cast<std::int64_t>(words.size());
  const std::int64_t first = leading_specials(room);
  std::vector<std::vector<std::int64_t>> texts;
  std::vector<std::int64_t> owner;
  for (std::size_t label = 0; label < task.names.size(); ++label) {
    for (const std::string& name : task.names[label].names) {
      texts.push_back(encode_caption(*task.setting.tokenizer, name, room));
      texts.back().insert(texts.back().begin() + first, words.begin(), words.end());
      owner.push_back(static_cast<std::int64_t>(label));
    }
  }
  std::size_t longest = 1;
  for (const auto& text : texts) longest = std::max(longest, text.size());
  // Not a token more than is needed: each costs a pass of the tower in every step.
  const std::int64_t length =
      task.setting.pad_to_context ? task.setting.text_format.context : static_cast<std::int64_t>(longest);
  const auto [ids, valid] = padded(texts, task.setting.tokenizer->id(kPad), length, true);
  return {.ids = ids,
          .valid = valid,
          .first = first,
          .words = static_cast<std::int64_t>(words.size()),
          .owner = torch::tensor(owner)};
}

Prompts::Prompts(const EmbedSetting& setting, PromptTexts texts, torch::Tensor class_vectors)
    : model_(*setting.model),
      texts_(std::move(texts)),
      fixed_(class_vectors.to(setting.device)),
      mean_(mean_over(texts_.owner, fixed_.size(0)).to(setting.device)) {
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

// Normalise, average over the class's names: [C, dimension]
torch::Tensor Prompts::learned_part(std::string_view space, const torch::Tensor& pooled) const {
  return mean_.matmul(model_.text_embedding(space, pooled, texts_.ids, texts_.valid));
}

torch::Tensor Prompts::class_vectors(const torch::Tensor& change) const {
  TextEncoder& tower = *model_.text;
  const std::int64_t after = embedded_.size(1) - texts_.first - texts_.words;
  const auto placed = at::constant_pad_nd(change.to(embedded_.device()), {0, 0, texts_.first, after});
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
    parts.push_back(is_learned(space) ? learned_part(space.name, pooled) * std::sqrt(weights[i] / sum)
                                      : fixed_.narrow(1, column, dimension));
    column += dimension;
  }
  return unit(at::cat(parts, 1)).to(torch::kCPU);
}

}  // namespace duet
