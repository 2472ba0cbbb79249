#include "cli/engine/classification_text.h"

#include "cli/terminal.h"
#include "core/format.h"

namespace duet {
namespace {

std::string with_sign(double value) { return cat(value < 0 ? "" : "+", fixed(value, 3)); }

std::string interval_of(double value, const Interval& interval) {
  return cat(fixed(value, 3), " [", fixed(interval.low, 3), ", ", fixed(interval.high, 3), "]");
}

}  // namespace

std::string score_header(std::size_t classes, bool several) {
  if (several) return cat(padded("split", 20), padded("mAP", 24), "items/classes\n");
  return cat(padded("split", 20), padded("top-1", 22), padded("top-5", 7), padded("mean per class", 22),
             padded("macro-F1", 22), padded("ECE", 7), classes == 2 ? padded("ROC-AUC", 9) : "",
             "items/classes\n");
}

std::string score_line(const std::string& split, const ClassificationScores& scores) {
  std::string area;
  if (scores.classes == 2) area = padded(scores.roc_auc ? fixed(*scores.roc_auc, 3) : "-", 9);
  return cat(padded(split, 20), padded(interval_of(scores.top_1, scores.top_1_interval), 22),
             padded(fixed(scores.top_5, 3), 7),
             padded(interval_of(scores.mean_per_class, scores.mean_per_class_interval), 22),
             padded(interval_of(scores.macro_f1, scores.macro_f1_interval), 22),
             padded(fixed(scores.calibration_error, 3), 7), area, scores.items, "/", scores.classes, "\n");
}

std::string score_line(const std::string& split, const MultiLabelScores& scores, std::int64_t items) {
  return cat(padded(split, 20), padded(interval_of(scores.mean_average_precision, scores.interval), 24), items,
             "/", scores.per_class.size(), "\n");
}

std::string difference_text(const PairedDifference& difference) {
  return cat(with_sign(difference.mean), " [", with_sign(difference.interval.low), ", ",
             with_sign(difference.interval.high), "]");
}

}  // namespace duet
