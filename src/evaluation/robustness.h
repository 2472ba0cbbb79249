// How much worse answers get where pictures are corrupted (datasets/corruption.h), counted as ImageNet-C counts
// it (Hendrycks and Dietterich 2019, section 4): errors against those of a baseline.
#pragma once
#include <torch/types.h>

#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/corruption.h"
#include "datasets/labelled.h"
#include "evaluation/embed.h"
#include "evaluation/probe.h"
#include "retrieval/metrics.h"

namespace duet {

// Shares of wrong answers.
struct CorruptionErrors {
  double clean = 0;
  std::vector<std::array<double, kStrengths>> corrupted = {};  // [kinds]
  double mean(std::size_t kind) const;                         // over strengths
  double mean() const;                                         // over kinds and strengths
};

struct Robustness {
  std::vector<std::string> kinds;
  CorruptionErrors model;
  std::optional<CorruptionErrors> baseline = {};
  // 95 % of mean_corruption_error(), plain and relative, over groups of items.
  std::optional<Interval> interval = {}, relative_interval = {};
  // The model's errors at all strengths by the baseline's; relative: both beyond those on clean pictures. NaN
  // without a baseline, and where it has no errors of that sort.
  double corruption_error(std::size_t kind, bool relative) const;
  double mean_corruption_error(bool relative) const;  // over the kinds that have one; NaN where none has
};
// {"kinds": {KIND: {SCORE: [5], "mean_SCORE", "baseline_SCORE": [5], "corruption_error", ...}}, "clean_SCORE",
// "mean_SCORE", "mean_corruption_error", ...}; SCORE is the share of right answers, "top_1" say.
nlohmann::json to_json(const Robustness& robustness, const std::string& score);

// By what is asked, 1 where the answer is wrong, else 0.
struct WrongOfBoth {
  std::vector<double> model;
  std::optional<std::vector<double>> baseline = {};
};
// Asks about the source's pictures as they are, then under each kind and strength. All can be read. They are
// decoded once where a gigabyte holds them, at the model's size. `groups`: of what is asked, drawn together for
// the intervals; none without a baseline.
Robustness measure_robustness(const EmbedSetting& setting, const Source& source,
                              const std::vector<std::string>& kinds, const std::vector<std::string>& groups,
                              const std::function<WrongOfBoth(const Source& pictures)>& wrong_of);

// The first picture that `source` has, at the model's size: clean, then under each kind.
std::vector<Image> corrupted_example(const EmbedSetting& setting, const Source& source,
                                     const std::vector<std::string>& kinds, int strength);

// Found without the model.
BadRows unreadable_pictures(const EmbedSetting& setting, const Source& source);

// What the model is held against: a ridge classifier on pixel_features(), which learn nothing from pictures.
class PixelBaseline {
 public:
  PixelBaseline(const EmbedSetting& setting, const Labelled& train, const Labelled& validation);
  std::vector<double> wrong(const EmbedSetting& setting, const Source& pictures, const Labelled& items) const;
  const nlohmann::json& chosen() const { return probe_.chosen; }

 private:
  std::vector<std::string> classes_;
  FittedProbe probe_;
};

// [N] int64: the first label of each.
torch::Tensor first_labels(const Labelled& items);
std::vector<double> wrong_answers(const torch::Tensor& logits, const torch::Tensor& labels);  // [N] of 0 and 1

}  // namespace duet
