#include "evaluation/robustness.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "core/format.h"
#include "core/progress.h"
#include "datasets/pixel_cache.h"
#include "encoders/pixel_features.h"
#include "evaluation/linear_probe.h"

namespace duet {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMemory = std::int64_t{1} << 30;  // bytes of pixels kept

template <class Numbers>
double mean_of(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

using Pictures = std::function<Image(std::int64_t)>;

// As for_each_image makes them.
Pictures at_model_size(const EmbedSetting& setting, const Source& source) {
  const int size = setting.preprocessing.size;
  const Pictures decoded = [&source, &setting, size](std::int64_t row) {
    return resize_image(picture_of(source, row, {.enough = 2 * size, .max_pixels = setting.max_pixels}),
                        setting.preprocessing);
  };
  const auto rows = static_cast<std::int64_t>(source.pairs.size());
  if (rows * size * size * 3 > kMemory) return decoded;
  const auto kept = std::make_shared<std::vector<Image>>();
  for (std::int64_t row = 0; row < rows; ++row) kept->push_back(decoded(row));
  return [kept](std::int64_t row) { return kept->at(static_cast<std::size_t>(row)); };
}

Source drawn_by(const Source& source, Pictures draw) {
  Source drawn = source;
  drawn.draw = std::move(draw);
  return drawn;
}

torch::Tensor pixel_features_of(const EmbedSetting& setting, const Source& source) {
  std::vector<torch::Tensor> parts = {at::empty({0, kPixelFeatures})};
  for_each_image(source, setting.preprocessing, static_cast<int>(setting.batch), setting.workers,
                 setting.max_pixels, setting.bad_pictures,
                 [&](std::int64_t, const torch::Tensor& images) { parts.push_back(pixel_features(images)); });
  return at::cat(parts);
}

}  // namespace

double CorruptionErrors::mean(std::size_t kind) const { return mean_of(corrupted.at(kind)); }

double CorruptionErrors::mean() const {
  double sum = 0;
  for (std::size_t kind = 0; kind < corrupted.size(); ++kind) sum += mean(kind);
  return sum / static_cast<double>(corrupted.size());
}

double Robustness::corruption_error(std::size_t kind, bool relative) const {
  if (!baseline) return kNone;
  const double ours = model.mean(kind) - (relative ? model.clean : 0),
               theirs = baseline->mean(kind) - (relative ? baseline->clean : 0);
  return theirs > 0 ? ours / theirs : kNone;
}

double Robustness::mean_corruption_error(bool relative) const {
  std::vector<double> some;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const double one = corruption_error(kind, relative);
    if (!std::isnan(one)) some.push_back(one);
  }
  return some.empty() ? kNone : mean_of(some);
}

nlohmann::json to_json(const Robustness& robustness, const std::string& score) {
  nlohmann::json result = {{"kinds", nlohmann::json::object()}};
  const auto right = [](const std::array<double, kStrengths>& errors) {
    std::vector<double> shares;
    for (const double error : errors) shares.push_back(1 - error);
    return shares;
  };
  const auto& [kinds, model, baseline] = robustness;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    nlohmann::json& kind = result["kinds"][kinds[i]];
    kind[score] = right(model.corrupted[i]);
    kind[cat("mean_", score)] = 1 - model.mean(i);
    if (!baseline) continue;
    kind[cat("baseline_", score)] = right(baseline->corrupted[i]);
    kind["corruption_error"] = robustness.corruption_error(i, false);
    kind["relative_corruption_error"] = robustness.corruption_error(i, true);
  }
  result[cat("clean_", score)] = 1 - model.clean;
  result[cat("mean_", score)] = 1 - model.mean();
  if (!baseline) return result;
  result[cat("baseline_clean_", score)] = 1 - baseline->clean;
  result[cat("baseline_mean_", score)] = 1 - baseline->mean();
  result["mean_corruption_error"] = robustness.mean_corruption_error(false);
  result["relative_mean_corruption_error"] = robustness.mean_corruption_error(true);
  return result;
}

Robustness measure_robustness(const EmbedSetting& setting, const Source& source,
                              const std::vector<std::string>& kinds,
                              const std::function<ErrorsOfBoth(const Source& pictures)>& errors_of) {
  const auto rows = static_cast<std::int64_t>(source.pairs.size()),
             rounds = static_cast<std::int64_t>(kinds.size()) * kStrengths + 1;
  std::optional<Progress> bar;
  if (setting.progress) bar.emplace("corrupted pictures", rows * rounds, "pictures");
  const Pictures pictures = at_model_size(setting, source);
  std::int64_t done = 0;
  const auto ask = [&](Pictures draw, const std::string& what) {
    const ErrorsOfBoth errors = errors_of(drawn_by(source, std::move(draw)));
    if (bar) bar->update(rows * ++done, what);
    return errors;
  };
  const ErrorsOfBoth clean = ask(pictures, "clean");
  Robustness robustness{.kinds = kinds, .model = {.clean = clean.model}};
  if (clean.baseline) robustness.baseline = CorruptionErrors{.clean = *clean.baseline};
  for (const std::string& kind : kinds) {
    std::array<double, kStrengths> model{}, baseline{};
    for (int strength = 1; strength <= kStrengths; ++strength) {
      const auto spoilt = [&](std::int64_t row) { return corrupted(pictures(row), kind, strength); };
      const ErrorsOfBoth errors = ask(spoilt, cat(kind, " ", strength));
      model[static_cast<std::size_t>(strength - 1)] = errors.model;
      baseline[static_cast<std::size_t>(strength - 1)] = errors.baseline.value_or(0);
    }
    robustness.model.corrupted.push_back(model);
    if (robustness.baseline) robustness.baseline->corrupted.push_back(baseline);
  }
  return robustness;
}

std::vector<Image> corrupted_example(const EmbedSetting& setting, const Source& source,
                                     const std::vector<std::string>& kinds, int strength) {
  std::vector<Image> images = {at_model_size(setting, source.subset({0}, source.name))(0)};
  for (const std::string& kind : kinds) images.push_back(corrupted(images.front(), kind, strength));
  return images;
}

BadRows unreadable_pictures(const EmbedSetting& setting, const Source& source) {
  return for_each_image(source, setting.preprocessing, static_cast<int>(setting.batch), setting.workers,
                        setting.max_pixels, setting.bad_pictures, [](std::int64_t, const torch::Tensor&) {});
}

PixelBaseline::PixelBaseline(const EmbedSetting& setting, const Labelled& train, const Labelled& validation)
    : classes_(train.classes) {
  const auto seen = [&](const Labelled& items) {
    return ProbeItems{pixel_features_of(setting, items.source), {}, first_labels(items)};
  };
  probe_ = fit_probe({.kind = "ridge", .classes = static_cast<std::int64_t>(classes_.size())}, seen(train),
                     seen(with_classes(validation, classes_)));
}

double PixelBaseline::error(const EmbedSetting& setting, const Source& pictures, const Labelled& items) const {
  const torch::Tensor logits = probe_.logits({pixel_features_of(setting, pictures), {}, {}});
  return share_wrong(logits, first_labels(with_classes(items, classes_)));
}

torch::Tensor first_labels(const Labelled& items) {
  std::vector<std::int64_t> labels;
  for (const auto& own : items.labels) labels.push_back(own.front());
  return torch::tensor(labels);
}

double share_wrong(const torch::Tensor& logits, const torch::Tensor& labels) {
  return 1 - judge(logits, labels).accuracy;
}

}  // namespace duet
