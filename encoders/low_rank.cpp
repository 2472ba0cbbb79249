#include "encoders/low_rank.h"

namespace duet {

void for_each_linear(torch::nn::Module& module, const std::function<void(const std::string&, Linear&)>& visit) {
  module.apply([&visit](const std::string& name, torch::nn::Module& child) {
    if (auto* linear = dynamic_cast<Linear*>(&child)) visit(name, *linear);
  });
}

void merge_low_rank(torch::nn::Module& module) {
  for_each_linear(module, [](const std::string&, Linear& linear) { linear.merge_low_rank(); });
}

TensorMap merged_tensors(const torch::nn::Module& module) {
  TensorMap tensors = tensors_of(module);
  module.apply([&tensors](const std::string& name, const torch::nn::Module& child) {
    const auto* linear = dynamic_cast<const Linear*>(&child);
    if (!linear || !linear->has_low_rank()) return;
    const std::string prefix = name.empty() ? name : name + ".";
    tensors[prefix + "weight"] = linear->merged_weight();
    tensors.erase(prefix + "lora_a");
    tensors.erase(prefix + "lora_b");
  });
  return tensors;
}

}  // namespace duet
