#include "evaluation/robustness.h"

#include <ATen/ops/argmax.h>
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
#include "evaluation/grouped_bootstrap.h"

namespace duet {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMemory = std::int64_t{1} << 30;  // bytes of pixels kept

template <class Numbers>
double mean_of(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

// Errors clean, and under each kind as the mean over strengths: shares of the same items, or numbers.
struct MeanErrors {
  double clean = 0;
  std::vector<double> kinds;
};

MeanErrors means_of(const CorruptionErrors& errors) {
  MeanErrors means{.clean = errors.clean, .kinds = {}};
  for (std::size_t kind = 0; kind < errors.corrupted.size(); ++kind) means.kinds.push_back(errors.mean(kind));
  return means;
}

double ratio_of(const MeanErrors& model, const MeanErrors& baseline, std::size_t kind, bool relative) {
  const double ours = model.kinds[kind] - (relative ? model.clean : 0),
               theirs = baseline.kinds[kind] - (relative ? baseline.clean : 0);
  return theirs > 0 ? ours / theirs : kNone;
}

// The kinds that have one.
std::vector<std::size_t> compared_kinds(const MeanErrors& model, const MeanErrors& baseline, bool relative) {
  std::vector<std::size_t> kinds;
  for (std::size_t kind = 0; kind < model.kinds.size(); ++kind)
    if (!std::isnan(ratio_of(model, baseline, kind, relative))) kinds.push_back(kind);
  return kinds;
}

// Over those of `kinds` that have one.
double mean_ratio(const MeanErrors& model, const MeanErrors& baseline, const std::vector<std::size_t>& kinds,
                  bool relative) {
  std::vector<double> some;
  for (const std::size_t kind : kinds) {
    const double one = ratio_of(model, baseline, kind, relative);
    if (!std::isnan(one)) some.push_back(one);
  }
  return some.empty() ? kNone : mean_of(some);
}

// Wrong answers of one of the two, as they come in: their shares, and their numbers by group.
class Tally {
 public:
  Tally(const Groups& groups, std::size_t kinds)
      : groups_(groups),
        errors_{.corrupted = std::vector<std::array<double, kStrengths>>(kinds)},
        by_group_(static_cast<std::size_t>(groups.count), {.kinds = std::vector<double>(kinds)}) {}

  void add_clean(const std::vector<double>& wrong) {
    errors_.clean = mean_of(wrong);
    for (std::size_t i = 0; i < groups_.of.size(); ++i) group_of(i).clean += wrong[i];
  }
  void add(std::size_t kind, int strength, const std::vector<double>& wrong) {
    errors_.corrupted[kind][static_cast<std::size_t>(strength - 1)] = mean_of(wrong);
    for (std::size_t i = 0; i < groups_.of.size(); ++i) group_of(i).kinds[kind] += wrong[i] / kStrengths;
  }
  const CorruptionErrors& errors() const { return errors_; }
  // Groups are drawn `times`.
  MeanErrors drawn(const std::vector<std::int32_t>& times) const {
    MeanErrors sum{.kinds = std::vector<double>(errors_.corrupted.size())};
    for (std::size_t g = 0; g < by_group_.size(); ++g) {
      if (times[g] == 0) continue;
      sum.clean += times[g] * by_group_[g].clean;
      for (std::size_t kind = 0; kind < sum.kinds.size(); ++kind)
        sum.kinds[kind] += times[g] * by_group_[g].kinds[kind];
    }
    return sum;
  }

 private:
  MeanErrors& group_of(std::size_t item) { return by_group_[static_cast<std::size_t>(groups_.of[item])]; }

  const Groups& groups_;
  CorruptionErrors errors_;
  std::vector<MeanErrors> by_group_;
};

// Both are drawn together: they are asked about the same items. The kinds stay those of the mean itself: where
// the baseline's errors are a matter of the draw, their ratio is any number.
std::optional<Interval> interval_of(const Robustness& robustness, const Groups& groups, const Tally& model,
                                    const Tally& baseline, bool relative) {
  const std::vector<std::size_t> kinds =
      compared_kinds(means_of(robustness.model), means_of(*robustness.baseline), relative);
  std::vector<double> values = resampled(groups.count, 1, [&](const std::vector<std::int32_t>& times) {
    return std::vector{mean_ratio(model.drawn(times), baseline.drawn(times), kinds, relative)};
  })[0];
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return std::nullopt;
  return percentile_interval(std::move(values));
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
  return baseline ? ratio_of(means_of(model), means_of(*baseline), kind, relative) : kNone;
}

double Robustness::mean_corruption_error(bool relative) const {
  if (!baseline) return kNone;
  const MeanErrors ours = means_of(model), theirs = means_of(*baseline);
  return mean_ratio(ours, theirs, compared_kinds(ours, theirs, relative), relative);
}

nlohmann::json to_json(const Robustness& robustness, const std::string& score) {
  nlohmann::json result = {{"kinds", nlohmann::json::object()}};
  const auto right = [](const std::array<double, kStrengths>& errors) {
    std::vector<double> shares;
    for (const double error : errors) shares.push_back(1 - error);
    return shares;
  };
  const CorruptionErrors& model = robustness.model;
  const std::optional<CorruptionErrors>& baseline = robustness.baseline;
  const std::vector<std::string>& kinds = robustness.kinds;
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
  const auto pair_of = [](const std::optional<Interval>& interval) {
    return interval ? nlohmann::json::array({interval->low, interval->high}) : nlohmann::json();
  };
  result["mean_corruption_error_interval"] = pair_of(robustness.interval);
  result["relative_mean_corruption_error_interval"] = pair_of(robustness.relative_interval);
  return result;
}

Robustness measure_robustness(const EmbedSetting& setting, const Source& source,
                              const std::vector<std::string>& kinds, const std::vector<std::string>& groups,
                              const std::function<WrongOfBoth(const Source& pictures)>& wrong_of) {
  const auto rows = static_cast<std::int64_t>(source.pairs.size()),
             rounds = static_cast<std::int64_t>(kinds.size()) * kStrengths + 1;
  std::optional<Progress> bar;
  if (setting.progress) bar.emplace("corrupted pictures", rows * rounds, "pictures");
  const Pictures pictures = at_model_size(setting, source);
  std::int64_t done = 0;
  const auto ask = [&](Pictures draw, const std::string& what) {
    WrongOfBoth wrong = wrong_of(drawn_by(source, std::move(draw)));
    if (bar) bar->update(rows * ++done, what);
    return wrong;
  };
  const Groups grouped = groups_of(groups);
  Tally model(grouped, kinds.size()), baseline(grouped, kinds.size());
  const WrongOfBoth clean = ask(pictures, "clean");
  model.add_clean(clean.model);
  if (clean.baseline) baseline.add_clean(*clean.baseline);
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    for (int strength = 1; strength <= kStrengths; ++strength) {
      const auto spoilt = [&](std::int64_t row) { return corrupted(pictures(row), kinds[kind], strength); };
      const WrongOfBoth wrong = ask(spoilt, cat(kinds[kind], " ", strength));
      model.add(kind, strength, wrong.model);
      if (wrong.baseline) baseline.add(kind, strength, *wrong.baseline);
    }
  }
  Robustness robustness{.kinds = kinds, .model = model.errors()};
  if (!clean.baseline) return robustness;
  robustness.baseline = baseline.errors();
  robustness.interval = interval_of(robustness, grouped, model, baseline, false);
  robustness.relative_interval = interval_of(robustness, grouped, model, baseline, true);
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

std::vector<double> PixelBaseline::wrong(const EmbedSetting& setting, const Source& pictures,
                                         const Labelled& items) const {
  const torch::Tensor logits = probe_.logits({pixel_features_of(setting, pictures), {}, {}});
  return wrong_answers(logits, first_labels(with_classes(items, classes_)));
}

torch::Tensor first_labels(const Labelled& items) {
  std::vector<std::int64_t> labels;
  for (const auto& own : items.labels) labels.push_back(own.front());
  return torch::tensor(labels);
}

std::vector<double> wrong_answers(const torch::Tensor& logits, const torch::Tensor& labels) {
  const torch::Tensor wrong = logits.argmax(1).ne(labels).to(torch::kDouble).contiguous();
  const auto* first = wrong.const_data_ptr<double>();
  return {first, first + wrong.numel()};
}

}  // namespace duet
