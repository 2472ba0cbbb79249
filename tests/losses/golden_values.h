// Weights, inputs, losses and gradients that plain PyTorch wrote (tests/golden/make_*.py), by their names.
#pragma once
#include <torch/nn/module.h>

#include <string>

#include "tensors/tensor_file.h"

namespace duet::testing {

class GoldenValues {
 public:
  explicit GoldenValues(const std::string& file);  // a file of tests/golden
  const torch::Tensor& at(const std::string& name) const { return values_.at(name); }
  bool contains(const std::string& name) const { return values_.contains(name); }
  // Parameters NAME become the values of from + name + NAME, those that the file has.
  void set(const torch::nn::Module& module, const std::string& from, const std::string& name) const;
  // Expects the gradients of KIND/gradient/ + name + NAME within 1e-5, and no other gradient. The number that
  // was compared.
  int expect_gradients(const torch::nn::Module& module, const std::string& kind, const std::string& name) const;

 private:
  TensorMap values_;
};

}  // namespace duet::testing
