// Scores where an item may have several labels: mean average precision.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "evaluation/classification.h"
#include "evaluation/grouped_bootstrap.h"

namespace duet {
namespace {

// Items of one class from the highest score down; those of equal score are taken together.
struct Ranking {
  std::vector<std::int32_t> groups;
  std::vector<std::int8_t> right, last_of_tie;
  bool occurs = false;
};

Ranking ranking_of(const torch::Tensor& scores, const std::vector<bool>& is_right, const Groups& groups) {
  const auto column = scores.contiguous();
  const float* score = column.const_data_ptr<float>();
  std::vector<std::int32_t> order(is_right.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return score[a] > score[b]; });
  Ranking ranking;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto item = static_cast<std::size_t>(order[i]);
    ranking.groups.push_back(groups.of[item]);
    ranking.right.push_back(is_right[item]);
    ranking.last_of_tie.push_back(i + 1 == order.size() || score[order[i + 1]] < score[order[i]]);
    ranking.occurs = ranking.occurs || is_right[item];
  }
  return ranking;
}

// Sum over thresholds of precision times the recall that it adds; NaN where nothing is right.
double average_precision(const Ranking& ranking, const std::vector<std::int32_t>& times) {
  double answered = 0, right = 0, before = 0, sum = 0;
  for (std::size_t i = 0; i < ranking.groups.size(); ++i) {
    const std::int32_t drawn = times[static_cast<std::size_t>(ranking.groups[i])];
    answered += drawn;
    right += drawn * ranking.right[i];
    if (ranking.last_of_tie[i] == 0 || right == before) continue;
    sum += (right - before) * right / answered;
    before = right;
  }
  return right == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / right;
}

double mean_of_numbers(const std::vector<double>& values) {
  double sum = 0, count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return sum / count;
}

}  // namespace

MultiLabelScores score_multi_label(const torch::Tensor& logits,
                                   const std::vector<std::vector<std::int64_t>>& labels,
                                   const std::vector<std::string>& classes,
                                   const std::vector<std::string>& groups) {
  check_scored(logits, labels.size(), classes.size(), groups.size());
  const Groups grouped = groups_of(groups);
  std::vector<std::vector<bool>> is_right(classes.size(), std::vector<bool>(labels.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (const std::int64_t label : labels[i]) {
      check_label(label, i, classes.size());
      is_right[static_cast<std::size_t>(label)][i] = true;
    }
  }
  const torch::Tensor columns = logits.to(torch::kCPU).t().contiguous();  // [C, N]
  std::vector<Ranking> occurring;
  MultiLabelScores scores;
  scores.items = std::ssize(labels);
  scores.classes = std::ssize(classes);
  const std::vector<std::int32_t> once(static_cast<std::size_t>(grouped.count), 1);
  std::vector<double> precisions;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    Ranking ranking = ranking_of(columns[static_cast<std::int64_t>(c)], is_right[c], grouped);
    precisions.push_back(average_precision(ranking, once));
    scores.per_class.emplace_back(classes[c], precisions.back());
    if (ranking.occurs) occurring.push_back(std::move(ranking));
  }
  if (occurring.empty()) fail(Exit::data, "classification", "has no item with a label");
  scores.mean_average_precision = mean_of_numbers(precisions);
  auto values = resampled(grouped.count, 1, [&](const std::vector<std::int32_t>& times) {
    std::vector<double> drawn;
    for (const Ranking& ranking : occurring) drawn.push_back(average_precision(ranking, times));
    return std::vector{mean_of_numbers(drawn)};
  });
  std::erase_if(values[0], [](double value) { return std::isnan(value); });  // nothing was right: no score
  scores.interval = percentile_interval(std::move(values[0]));
  return scores;
}

nlohmann::json to_json(const MultiLabelScores& scores) {
  nlohmann::json per_class = nlohmann::json::object();
  for (const auto& [name, precision] : scores.per_class) {
    if (std::isnan(precision))
      per_class[name] = nullptr;
    else
      per_class[name] = precision;
  }
  return {{"items", scores.items},
          {"classes", scores.classes},
          {"mean_average_precision", scores.mean_average_precision},
          {"mean_average_precision_interval", {scores.interval.low, scores.interval.high}},
          {"per_class", per_class}};
}

}  // namespace duet
