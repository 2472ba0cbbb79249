// The page of `duet evaluate --task ... --report`: scores of each class, who is taken for whom, the worst
// mistakes.
#pragma once
#include <torch/types.h>

#include <string>

#include "datasets/labelled.h"
#include "evaluation/classification.h"
#include "report/page.h"

namespace duet {

// Adds a split's tables, heat map and pictures; what is asked are `items`, with their logits [N, C].
void add_classification(Page& page, const std::string& split, const Labelled& items,
                        const torch::Tensor& logits, const ClassificationScores& scores,
                        std::int64_t max_pixels);
void add_classification(Page& page, const std::string& split, const MultiLabelScores& scores);

}  // namespace duet
