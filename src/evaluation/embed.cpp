#include "evaluation/embed.h"

#include <functional>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/format.h"
#include "core/progress.h"
#include "datasets/loader.h"

namespace duet {
namespace {

torch::Tensor concatenated(const std::vector<torch::Tensor>& parts, std::int64_t width) {
  return parts.empty() ? torch::zeros({0, width}) : torch::cat(parts);
}

}  // namespace

EmbedSetting embed_setting_of(const SavedModel& saved) {
  return {.model = saved.model.get(),
          .tokenizer = saved.tokenizer ? &*saved.tokenizer : nullptr,
          .text_format = saved.recipe.model.text.format,
          .pad_to_context = saved.recipe.model.text.pad_to_context,
          .preprocessing = saved.recipe.preprocessing,
          .device = saved.device,
          .precision = choose_precision(saved.recipe.train.precision, saved.device),
          .max_pixels = saved.recipe.data.loader.max_pixels,
          .bad_pictures = {.fraction = saved.recipe.data.loader.max_bad_fraction}};
}

EmbeddedImages embed_images(const EmbedSetting& setting, const Source& source, bool keep_features) {
  torch::NoGradGuard no_grad;
  Model& model = *setting.model;
  std::optional<Progress> bar;
  if (setting.progress)
    bar.emplace("embedding pictures", static_cast<std::int64_t>(source.pairs.size()), "pictures");
  std::vector<torch::Tensor> rows, features;
  EmbeddedImages result;
  result.bad =
      for_each_image(source, setting.preprocessing, static_cast<int>(setting.batch), setting.workers,
                     setting.max_pixels, setting.bad_pictures, [&](std::int64_t first, torch::Tensor images) {
                       const auto part = model.image_features(images.to(setting.device), setting.precision);
                       if (model.retrieval_dimension() > 0)
                         rows.push_back(model.retrieval_of_image_features(part).to(torch::kCPU));
                       if (keep_features) features.push_back(part.to(torch::kCPU));
                       if (bar) bar->update(first + images.size(0));
                     });
  result.rows = concatenated(rows, model.retrieval_dimension());
  if (keep_features) result.features = concatenated(features, model.feature_width());
  return result;
}

std::vector<std::int64_t> readable_rows(const Source& source, const BadRows& bad) {
  std::set<std::int64_t> unreadable;
  for (const auto& [row, why] : bad) unreadable.insert(row);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(source.pairs.size()); ++row) {
    if (!unreadable.contains(row)) rows.push_back(row);
  }
  return rows;
}

std::string bad_picture_list(const std::vector<std::string>& bad, std::size_t pictures, std::string_view fate) {
  constexpr std::size_t kShown = 10;
  std::string text = cat(bad.size(), " of ", pictures, " pictures cannot be read and are ", fate, ":");
  for (std::size_t i = 0; i < std::min(kShown, bad.size()); ++i) text += cat("\n  ", bad[i]);
  if (bad.size() > kShown) text += "\n  ... (duet data check lists them all)";
  return text;
}

namespace {

// encode: ids [n, L], valid [n, L] -> rows [n, width]
torch::Tensor in_batches(
    const EmbedSetting& setting, const std::vector<std::string>& texts, std::int64_t width,
    const std::function<torch::Tensor(const torch::Tensor&, const torch::Tensor&)>& encode) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> rows;
  for (std::size_t begin = 0; begin < texts.size(); begin += static_cast<std::size_t>(setting.batch)) {
    const std::size_t end = std::min(texts.size(), begin + static_cast<std::size_t>(setting.batch));
    const std::vector<std::string> part(texts.begin() + static_cast<std::ptrdiff_t>(begin),
                                        texts.begin() + static_cast<std::ptrdiff_t>(end));
    const auto [ids, valid] =
        encode_captions(*setting.tokenizer, part, setting.text_format, setting.pad_to_context);
    rows.push_back(encode(ids.to(setting.device), valid.to(setting.device)).to(torch::kCPU));
  }
  return concatenated(rows, width);
}

}  // namespace

torch::Tensor embed_texts(const EmbedSetting& setting, const std::vector<std::string>& texts) {
  // Always fp32: a query from the command line is (encoders/plain).
  return in_batches(
      setting, texts, setting.model->retrieval_dimension(),
      [&](const auto& ids, const auto& valid) { return setting.model->retrieval_texts(ids, valid); });
}

torch::Tensor text_features(const EmbedSetting& setting, const std::vector<std::string>& texts) {
  return in_batches(setting, texts, setting.model->text->width(), [&](const auto& ids, const auto& valid) {
    return setting.model->text->forward(ids, valid);
  });
}

}  // namespace duet
