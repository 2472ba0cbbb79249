#include "golden_values.h"

#include <gtest/gtest.h>

namespace duet::testing {

GoldenValues::GoldenValues(const std::string& file)
    : values_(load_tensors(std::string(DUET_GOLDEN) + "/" + file)) {}

void GoldenValues::set(const torch::nn::Module& module, const std::string& from,
                       const std::string& name) const {
  const torch::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    const auto found = values_.find(from + name + item.key());
    if (found != values_.end()) item.value().copy_(found->second);
  }
}

int GoldenValues::expect_gradients(const torch::nn::Module& module, const std::string& kind,
                                   const std::string& name) const {
  int compared = 0;
  for (const auto& item : module.named_parameters()) {
    const auto expected = values_.find(kind + "/gradient/" + name + item.key());
    const bool has = item.value().grad().defined() && item.value().grad().abs().max().item<double>() > 0;
    EXPECT_EQ(has, expected != values_.end()) << name << item.key();
    if (!has || expected == values_.end()) continue;
    EXPECT_TRUE(torch::allclose(item.value().grad(), expected->second, 1e-5, 1e-5)) << name << item.key();
    ++compared;
  }
  return compared;
}

}  // namespace duet::testing
