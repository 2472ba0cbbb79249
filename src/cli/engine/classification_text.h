// Scores of classification as a table on a terminal, a line a split.
#pragma once
#include <cstdint>
#include <string>

#include "evaluation/classification.h"

namespace duet {

std::string score_header(std::size_t classes, bool several);  // several: labels an item
std::string score_line(const std::string& split, const ClassificationScores& scores);
std::string score_line(const std::string& split, const MultiLabelScores& scores, std::int64_t items);
std::string difference_text(const PairedDifference& difference);  // "+0.080 [+0.020, +0.140]"

}  // namespace duet
