// Against plain PyTorch (tests/golden/make_fine_tuning.py).
#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include "adaptation/network_training.h"
#include "encoders/low_rank.h"

namespace duet {
namespace {

// The golden tower, with the values of FROM/ as its own.
struct Network {
  explicit Network(const std::string& from) {
    Config config = Config::parse(
        "[image]\nkind = \"vit\"\nsize = 12\npatch = 4\nwidth = 8\nlayers = 2\nheads = 2\n", "test.toml");
    model = std::make_shared<Model>(read_model(config), 0, 1);
    model->eval();
    setting.model = model.get();
    head.input = "tower";
    head.mean = torch::zeros({8});
    set(values_of(from));
  }
  void set(TensorMap values) {
    head.weight = values.at("head.weight");
    head.bias = values.at("head.bias");
    std::erase_if(values, [](const auto& item) { return item.first.starts_with("head."); });
    copy_into(tensors_of(*model), values, "golden");
  }
  static TensorMap values_of(const std::string& from) {
    TensorMap values;
    for (const auto& [name, tensor] : all()) {
      if (name.starts_with(from + "/")) values[name.substr(from.size() + 1)] = tensor;
    }
    return values;
  }
  static const TensorMap& all() {
    static const TensorMap all = load_tensors(std::string(DUET_GOLDEN) + "/fine_tuning.safetensors");
    return all;
  }
  torch::Tensor logits() const {
    return head.logits(head_input(setting, {.images = all().at("images")}, "tower"));
  }

  std::shared_ptr<Model> model;
  EmbedSetting setting;
  TowerHead head;
};

TEST(FineTuningGolden, GradientsOfLowRankParts) {
  Network network("start");
  for_each_linear(*network.model, [](const std::string& name, Linear& map) {
    map.add_low_rank(Init(1, name), {.rank = 2, .alpha = 2, .dropout = .5});  // none drops in evaluation
  });
  const TensorMap parts = Network::values_of("part"), gradients = Network::values_of("gradient");
  const TensorMap own = tensors_of(*network.model);
  for (const auto& [name, value] : parts) {
    const torch::NoGradGuard no_grad;
    torch::Tensor(own.at(name)).copy_(value);
  }
  const auto loss = at::cross_entropy_loss(network.logits(), Network::all().at("labels"));
  EXPECT_NEAR(loss.item<double>(), Network::all().at("loss").item<double>(), 1e-5);
  loss.backward();
  ASSERT_EQ(gradients.size(), 18U);
  for (const auto& [name, gradient] : gradients) {
    ASSERT_TRUE(own.at(name).grad().defined()) << name;
    EXPECT_TRUE(torch::allclose(own.at(name).grad(), gradient, 1e-4, 1e-5)) << name;
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-4) << name;
  }
}

TEST(FineTuningGolden, HalfWayIsTheMeanOfBothNetworks) {
  const TensorMap start = Network::values_of("start"), tuned = Network::values_of("tuned");
  Network network("start");
  for (const auto& [alpha, name] : {std::pair{0., "start_logits"}, {.5, "mean_logits"}, {1., "tuned_logits"}}) {
    network.set(interpolated(start, tuned, alpha));
    EXPECT_TRUE(torch::allclose(network.logits(), Network::all().at(name), 1e-4, 1e-4)) << name;
  }
}

}  // namespace
}  // namespace duet
