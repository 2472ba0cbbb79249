// Few-shot tasks on made-up features: classes around directions of their own.
#pragma once
#include <string>

#include "adaptation/method.h"

namespace duet::testing {

struct ToyOptions {
  std::int64_t classes = 4, shots = 4, width = 16;
  double spread = .3;     // of the rows of a class around its direction
  double names_off = .3;  // of the names' vectors around it
  bool swapped = false;   // the support's labels say the next class: who believes them is wrong
  std::uint64_t seed = 1;
};

struct ToyTask {
  AdaptationTask task;
  Part support, validation, asked;
};

ToyTask toy_task(const ToyOptions& options = {});
double accuracy_on(const Classifier& classifier, const Part& items);

}  // namespace duet::testing
