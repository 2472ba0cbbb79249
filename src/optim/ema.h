// The running average of a model's weights (Polyak and Juditsky 1992), which is what is evaluated and exported.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "optim/groups.h"
#include "tensors/tensor_file.h"

namespace duet {

class Ema {
 public:
  // `live`: parameters and buffers by name; those that are not floating point (counters) are left out. The
  // average starts as a copy, with the same strides.
  Ema(const NamedTensors& live, double decay);

  // After the optimiser's step number t (from 0): average = d * average + (1 - d) * live, d = min(decay, (1 +
  // t) / (10 + t)), so that early steps are forgotten quickly.
  void update(std::int64_t t);
  static double decay_at(double decay, std::int64_t t);

  // Exchanges the values of the live tensors and the average; twice is nothing.
  void swap();

  TensorMap state() const;                  // the average under the live names, aliases
  void load_state(const TensorMap& state);  // Error(artifact) on other names or shapes

 private:
  std::vector<std::string> names_;
  std::vector<torch::Tensor> live_, average_;
  double decay_;
};

// The average in the model's place for one scope, evaluation say. Null: nothing.
class EmaScope {
 public:
  explicit EmaScope(Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~EmaScope() {
    if (ema_) ema_->swap();
  }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema* ema_;
};

}  // namespace duet
