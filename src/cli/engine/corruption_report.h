// What `duet evaluate --corrupt` prints and shows: right answers by kind and strength.
#pragma once
#include <string>
#include <vector>

#include "datasets/image.h"
#include "evaluation/robustness.h"
#include "report/page.h"

namespace duet {

// `score` names the share of right answers: "top-1". Ends with a newline.
std::string corruption_text(const std::string& split, const Robustness& robustness, const std::string& score);
// `example`: a picture clean, then under each kind at `strength`.
void add_corruptions(Page& page, const std::string& split, const Robustness& robustness,
                     const std::string& score, const std::vector<Image>& example, int strength);

}  // namespace duet
