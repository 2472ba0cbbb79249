#include "evaluation/classification.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/error.h"
#include "core/format.h"
#include "evaluation/grouped_bootstrap.h"

namespace duet {
namespace {

constexpr std::int64_t kBins = 15, kTop = 5;

using Labels = std::vector<std::int64_t>;

// What macro scores are made of: items of the class, answers of it, and those that are both.
struct ClassCounts {
  std::int64_t items = 0, answers = 0, right = 0;
};

double share(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

double mean_recall(const std::vector<ClassCounts>& counts) {
  double sum = 0;
  std::int64_t occurring = 0;
  for (const ClassCounts& one : counts) {
    if (one.items == 0) continue;
    sum += share(one.right, one.items);
    ++occurring;
  }
  return sum / static_cast<double>(occurring);
}

double f1_of(const ClassCounts& one) { return share(2 * one.right, one.items + one.answers); }

double mean_f1(const std::vector<ClassCounts>& counts) {
  double sum = 0;
  std::int64_t seen = 0;
  for (const ClassCounts& one : counts) {
    sum += f1_of(one);
    seen += one.items + one.answers > 0;
  }
  return sum / static_cast<double>(seen);
}

void add_item(std::vector<ClassCounts>& counts, std::int64_t label, std::int64_t answer, std::int64_t times) {
  counts[static_cast<std::size_t>(label)].items += times;
  counts[static_cast<std::size_t>(answer)].answers += times;
  if (label == answer) counts[static_cast<std::size_t>(label)].right += times;
}

// Items of one group, label and answer count together: far fewer than items where pictures share a concept.
struct Tally {
  std::int32_t group;
  std::int32_t label, answer;
  std::int32_t items;
};

std::vector<Tally> tallies_of(const Groups& groups, const Labels& labels, const Labels& answers) {
  std::vector<Tally> all;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    all.push_back(
        {groups.of[i], static_cast<std::int32_t>(labels[i]), static_cast<std::int32_t>(answers[i]), 1});
  }
  const auto key = [](const Tally& one) { return std::tuple(one.group, one.label, one.answer); };
  std::sort(all.begin(), all.end(), [&](const Tally& a, const Tally& b) { return key(a) < key(b); });
  std::vector<Tally> merged;
  for (const Tally& one : all) {
    if (!merged.empty() && key(merged.back()) == key(one))
      ++merged.back().items;
    else
      merged.push_back(one);
  }
  return merged;
}

void set_intervals(ClassificationScores& scores, const Groups& groups, const Labels& labels,
                   const Labels& answers) {
  const std::vector<Tally> tallies = tallies_of(groups, labels, answers);
  auto values = resampled(groups.count, 3, [&](const std::vector<std::int32_t>& times) {
    std::vector<ClassCounts> counts(static_cast<std::size_t>(scores.classes));
    std::int64_t items = 0, right = 0;
    for (const Tally& one : tallies) {
      const std::int64_t drawn = std::int64_t{times[static_cast<std::size_t>(one.group)]} * one.items;
      if (drawn == 0) continue;
      add_item(counts, one.label, one.answer, drawn);
      items += drawn;
      if (one.label == one.answer) right += drawn;
    }
    return std::vector{static_cast<double>(right) / static_cast<double>(items), mean_recall(counts),
                       mean_f1(counts)};
  });
  scores.top_1_interval = percentile_interval(std::move(values[0]));
  scores.mean_per_class_interval = percentile_interval(std::move(values[1]));
  scores.macro_f1_interval = percentile_interval(std::move(values[2]));
}

// Of one item: the answer, how many classes stand before its label, and the answer's probability.
struct Told {
  std::int64_t answer = 0, before = 0;
  double probability = 0;
};

Told told_of(const float* logits, std::int64_t classes, std::int64_t label) {
  const float* end = logits + classes;
  Told told;
  told.answer = std::max_element(logits, end) - logits;  // the first of equal ones
  const float own = logits[label], top = logits[told.answer];
  for (std::int64_t c = 0; c < classes; ++c) told.before += logits[c] > own || (logits[c] == own && c < label);
  double sum = 0;
  for (const float* logit = logits; logit != end; ++logit) sum += std::exp(static_cast<double>(*logit) - top);
  told.probability = 1 / sum;
  return told;
}

// Bins (b / 15, (b + 1) / 15] of the answers' probability: |accuracy - mean probability|, weighted by items.
double calibration_error(const std::vector<Told>& told, const std::vector<std::int64_t>& right) {
  std::vector<double> surplus(static_cast<std::size_t>(kBins));
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto bin = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::ceil(told[i].probability * static_cast<double>(kBins))) - 1, 0,
        kBins - 1);
    surplus[static_cast<std::size_t>(bin)] += static_cast<double>(right[i]) - told[i].probability;
  }
  double sum = 0;
  for (const double one : surplus) sum += std::abs(one);
  return sum / static_cast<double>(told.size());
}

// The share of (second class, first class) pairs of items that the difference of logits puts in order, ties
// half: Mann and Whitney's U. (Of the difference, not of probabilities: those are all 1 where logits are
// large.)
std::optional<double> roc_auc(const float* logits, const Labels& labels) {
  std::vector<std::pair<double, std::int64_t>> items;
  for (std::size_t i = 0; i < labels.size(); ++i)
    items.emplace_back(static_cast<double>(logits[2 * i + 1]) - logits[2 * i], labels[i]);
  std::sort(items.begin(), items.end());
  double negatives = 0, positives = 0, ordered = 0;
  for (std::size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    double tied[2] = {0, 0};
    for (; end < items.size() && items[end].first == items[begin].first; ++end) ++tied[items[end].second];
    ordered += tied[1] * (negatives + tied[0] / 2);
    negatives += tied[0];
    positives += tied[1];
  }
  if (negatives == 0 || positives == 0) return {};
  return ordered / (negatives * positives);
}

nlohmann::json pair_of(const Interval& interval) {
  return nlohmann::json::array({interval.low, interval.high});
}

}  // namespace

ClassificationScores score_classification(const torch::Tensor& logits, const torch::Tensor& labels,
                                          const std::vector<std::string>& classes,
                                          const std::vector<std::string>& groups) {
  check_scored(logits, static_cast<std::size_t>(labels.numel()), classes.size(), groups.size());
  const torch::Tensor rows = logits.to(torch::kCPU).contiguous(), numbers = labels.to(torch::kCPU).contiguous();
  const auto* first = numbers.const_data_ptr<std::int64_t>();
  const Labels truth(first, first + numbers.numel());
  ClassificationScores scores;
  scores.items = rows.size(0);
  scores.classes = rows.size(1);
  std::vector<ClassCounts> counts(classes.size());
  scores.confusion.assign(classes.size(), std::vector<std::int64_t>(classes.size()));
  std::vector<Told> told;
  Labels answers;
  std::int64_t among_top = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    check_label(truth[i], i, classes.size());
    told.push_back(told_of(rows.const_data_ptr<float>() + static_cast<std::int64_t>(i) * scores.classes,
                           scores.classes, truth[i]));
    answers.push_back(told[i].answer);
    scores.right.push_back(told[i].answer == truth[i]);
    among_top += told[i].before < kTop;
    add_item(counts, truth[i], answers[i], 1);
    ++scores.confusion[static_cast<std::size_t>(truth[i])][static_cast<std::size_t>(answers[i])];
  }
  scores.top_1 =
      share(std::accumulate(scores.right.begin(), scores.right.end(), std::int64_t{0}), scores.items);
  scores.top_5 = share(among_top, scores.items);
  scores.mean_per_class = mean_recall(counts);
  scores.macro_f1 = mean_f1(counts);
  scores.calibration_error = calibration_error(told, scores.right);
  if (scores.classes == 2) scores.roc_auc = roc_auc(rows.const_data_ptr<float>(), truth);
  set_intervals(scores, groups_of(groups), truth, answers);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const ClassCounts& one = counts[c];
    scores.per_class.push_back(
        {classes[c], one.items, share(one.right, one.answers), share(one.right, one.items), f1_of(one)});
  }
  return scores;
}

PairedDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                   const std::vector<std::string>& groups) {
  if (a.size() != b.size() || a.size() != groups.size()) {
    fail(Exit::failed, "paired difference",
         cat("of ", a.size(), " and ", b.size(), " values in ", groups.size(), " groups"));
  }
  if (a.empty()) fail(Exit::data, "paired difference", "has no items");
  const Groups grouped = groups_of(groups);
  std::vector<double> sums(static_cast<std::size_t>(grouped.count)), items(sums.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    sums[static_cast<std::size_t>(grouped.of[i])] += a[i] - b[i];
    ++items[static_cast<std::size_t>(grouped.of[i])];
  }
  const auto mean = [&](const std::vector<std::int32_t>& times) {
    return std::inner_product(times.begin(), times.end(), sums.begin(), 0.0) /
           std::inner_product(times.begin(), times.end(), items.begin(), 0.0);
  };
  PairedDifference difference;
  difference.mean = mean(std::vector<std::int32_t>(sums.size(), 1));
  std::vector<double> values =
      resampled(grouped.count, 1, [&](const auto& times) { return std::vector{mean(times)}; })[0];
  const auto beyond = [&](auto compare) {
    return (static_cast<double>(std::count_if(values.begin(), values.end(), compare)) + 1) /
           static_cast<double>(values.size() + 1);
  };
  const double p = std::min({1.0, 2 * beyond([](double value) { return value <= 0; }),
                             2 * beyond([](double value) { return value >= 0; })});
  // Two groups that agree do so in every resample, and yet are no more than two witnesses.
  difference.p = std::max(p, std::exp2(1 - static_cast<double>(grouped.count)));
  difference.interval = percentile_interval(std::move(values));
  return difference;
}

nlohmann::json to_json(const PairedDifference& difference) {
  return {{"difference", difference.mean},
          {"difference_interval", pair_of(difference.interval)},
          {"p", difference.p}};
}

nlohmann::json to_json(const ClassificationScores& scores) {
  nlohmann::json per_class = nlohmann::json::object();
  for (std::size_t c = 0; c < scores.per_class.size(); ++c) {
    const ClassScores& one = scores.per_class[c];
    nlohmann::json answers = nlohmann::json::object();  // those that were given
    for (std::size_t answer = 0; answer < scores.confusion[c].size(); ++answer) {
      if (scores.confusion[c][answer] > 0) answers[scores.per_class[answer].name] = scores.confusion[c][answer];
    }
    per_class[one.name] = {{"items", one.items},
                           {"precision", one.precision},
                           {"recall", one.recall},
                           {"f1", one.f1},
                           {"answers", answers}};
  }
  nlohmann::json all = {{"items", scores.items},
                        {"classes", scores.classes},
                        {"top_1", scores.top_1},
                        {"top_1_interval", pair_of(scores.top_1_interval)},
                        {"top_5", scores.top_5},
                        {"mean_per_class", scores.mean_per_class},
                        {"mean_per_class_interval", pair_of(scores.mean_per_class_interval)},
                        {"macro_f1", scores.macro_f1},
                        {"macro_f1_interval", pair_of(scores.macro_f1_interval)},
                        {"calibration_error", scores.calibration_error},
                        {"per_class", per_class}};
  if (scores.roc_auc) all["roc_auc"] = *scores.roc_auc;
  return all;
}

}  // namespace duet
