// How good a classifier is: accuracy and its relatives, calibration, and whether one is better than another on
// the same items. Definitions are scikit-learn's where it has them; intervals are percentile bootstrap over
// groups of items (concepts, so that pictures of one thing are no independent witnesses).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "retrieval/metrics.h"

namespace duet {

struct ClassScores {
  std::string name;
  std::int64_t items = 0;  // of this class
  double precision = 0, recall = 0, f1 = 0;
};

struct ClassificationScores {
  std::int64_t items = 0, classes = 0;
  double top_1 = 0, top_5 = 0;    // top_5 is 1 where there are five classes or fewer
  double mean_per_class = 0;      // recall, mean over the classes that occur
  double macro_f1 = 0;            // mean over all classes that occur or were answered
  double calibration_error = 0;   // expected, 15 bins of equal width (Guo et al. 2017)
  std::optional<double> roc_auc;  // of two classes: of the second one
  Interval top_1_interval, mean_per_class_interval, macro_f1_interval;
  std::vector<ClassScores> per_class;
  std::vector<std::vector<std::int64_t>> confusion;  // [class][answer]
  std::vector<std::int64_t> right;                   // by item, 0 or 1: for paired tests
};

// logits [N, C] fp32 (softmax of them are the probabilities), labels [N] int64, groups [N] any names. Of equal
// logits the smaller class is the answer.
ClassificationScores score_classification(const torch::Tensor& logits, const torch::Tensor& labels,
                                          const std::vector<std::string>& classes,
                                          const std::vector<std::string>& groups);

// Several labels an item: average precision of each class (scikit-learn's), mean over classes that occur.
struct MultiLabelScores {
  std::int64_t items = 0, classes = 0;
  double mean_average_precision = 0;
  Interval interval;
  std::vector<std::pair<std::string, double>> per_class;  // NaN: the class does not occur
};
MultiLabelScores score_multi_label(const torch::Tensor& logits,
                                   const std::vector<std::vector<std::int64_t>>& labels,
                                   const std::vector<std::string>& classes,
                                   const std::vector<std::string>& groups);

// a - b on the same items: mean, its interval over groups, two-sided p: at least 2 / 2,001, and no less than
// the signs of so few groups can tell, 2 / 2^groups.
struct PairedDifference {
  double mean = 0;
  Interval interval;
  double p = 1;
};
PairedDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                   const std::vector<std::string>& groups);

nlohmann::json to_json(const ClassificationScores& scores);
nlohmann::json to_json(const MultiLabelScores& scores);
nlohmann::json to_json(const PairedDifference& difference);

}  // namespace duet
