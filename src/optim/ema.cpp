#include "optim/ema.h"

#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>
#include <cstddef>

namespace duet {

Ema::Ema(const NamedTensors& live, double decay) : decay_(decay) {
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : live) {
    if (!tensor.is_floating_point()) continue;
    names_.push_back(name);
    live_.push_back(tensor);
    average_.push_back(tensor.detach().clone());  // clone keeps the strides
  }
}

double Ema::decay_at(double decay, std::int64_t t) {
  const auto steps = static_cast<double>(t);
  return std::min(decay, (1 + steps) / (10 + steps));
}

void Ema::update(std::int64_t t) {
  torch::NoGradGuard no_grad;
  at::_foreach_lerp_(average_, live_, 1 - decay_at(decay_, t));
}

void Ema::swap() {
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < live_.size(); ++i) {
    const torch::Tensor live = live_[i].detach().clone();
    live_[i].copy_(average_[i]);
    average_[i].copy_(live);
  }
}

TensorMap Ema::state() const {
  TensorMap state;
  for (std::size_t i = 0; i < names_.size(); ++i) state[names_[i]] = average_[i];
  return state;
}

void Ema::load_state(const TensorMap& state) {
  torch::NoGradGuard no_grad;
  copy_into(this->state(), state, "the weight average");
}

}  // namespace duet
