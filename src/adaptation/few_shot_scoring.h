// The one place where labels of test items are read: after a classifier is fitted, to count its right answers.
#pragma once
#include <string>

#include "adaptation/few_shot_data.h"
#include "adaptation/method.h"

namespace duet {

// '1' or '0' for each item of the test part, in its order. `asked` is that part, without labels.
std::string right_answers(const Classifier& classifier, const Part& asked, const FewShotData& data);

}  // namespace duet
