#include "encoders/low_rank.h"

#include <gtest/gtest.h>

#include "towers.h"

namespace duet {
namespace {

constexpr const char* kTowers =
    "[image]\nkind = \"vit\"\nsize = 16\npatch = 8\nwidth = 12\nlayers = 2\nheads = 2\n"
    "[text]\nkind = \"transformer\"\nwidth = 8\nlayers = 2\nheads = 2\ncontext = 6\n[[space]]\ndimension = 5\n";
constexpr std::int64_t kVocabulary = 20;

torch::Tensor& parameter(torch::nn::Module& module, const std::string& name) {
  return *module.named_parameters().find(name);
}

struct Drawn {
  explicit Drawn(const LowRank& part) {
    layer.add_low_rank(Init(1, "layer"), part);
    randomise(layer);
    torch::manual_seed(2);
    x = at::randn({3, 4, 5});
    towards = at::randn({3, 4, 4});
  }
  Linear layer{Init(1, "layer"), 5, 4};
  torch::Tensor x, towards;  // the loss is the sum of the output's products with `towards`
};

std::shared_ptr<Model> model_with_parts(const LowRank& part = {.rank = 2, .alpha = 6}) {
  const auto model = model_of(kTowers, kVocabulary);
  for_each_linear(*model,
                  [&](const std::string& name, Linear& linear) { linear.add_low_rank(Init(1, name), part); });
  randomise(*model);
  model->eval();
  return model;
}

std::pair<torch::Tensor, torch::Tensor> embeddings(Model& model) {
  const torch::NoGradGuard no_grad;
  const auto images = (random_images(3, 16) * 40 + 128).clamp(0, 255).to(torch::kUInt8);
  const auto ids = at::arange(12, torch::kLong).view({2, 6});
  return {model.retrieval_of_image_features(model.image_features(images)),
          model.retrieval_texts(ids, valid_of({6, 4}, 6))};
}

TEST(LowRank, ChangesNothingAtFirst) {
  Linear layer(Init(1, "layer"), 5, 4);
  const auto x = at::randn({3, 5});
  const auto before = layer.forward(x);
  layer.add_low_rank(Init(1, "layer"), {.rank = 3});
  EXPECT_TRUE(layer.forward(x).equal(before));
  EXPECT_EQ(parameter(layer, "lora_a").sizes(), (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(parameter(layer, "lora_b").sizes(), (std::vector<std::int64_t>{4, 3}));
  EXPECT_TRUE(layer.merged_weight().equal(layer.weight));
}

// The chain rule through the weight that the parts amount to, W + alpha / rank * B A.
TEST(LowRank, GradientsAreThoseOfTheWholeWeight) {
  Drawn drawn({.rank = 2, .alpha = 6});
  const auto a = parameter(drawn.layer, "lora_a"), b = parameter(drawn.layer, "lora_b");
  const double scale = 3;
  auto x = drawn.x.clone().requires_grad_(true);
  const auto y = drawn.layer.forward(x);
  (y * drawn.towards).sum().backward();

  auto whole = (drawn.layer.weight + scale * b.matmul(a)).detach().requires_grad_(true);
  auto same_x = drawn.x.clone().requires_grad_(true);
  const auto expected = same_x.matmul(whole.t()) + drawn.layer.bias;
  (expected * drawn.towards).sum().backward();

  EXPECT_LT(distance(y, expected), 1e-5);
  EXPECT_LT(distance(x.grad(), same_x.grad()), 1e-5);
  EXPECT_LT(distance(b.grad(), scale * whole.grad().matmul(a.t())), 1e-5);
  EXPECT_LT(distance(a.grad(), scale * b.t().matmul(whole.grad())), 1e-5);
  EXPECT_GT(a.grad().abs().max().item<double>(), .1);
  EXPECT_FALSE(drawn.layer.weight.requires_grad());
  EXPECT_FALSE(drawn.layer.bias.requires_grad());
}

TEST(LowRank, DropsWhatThePartSeesInTrainingAlone) {
  Drawn drawn({.rank = 2, .alpha = 2, .dropout = .5});
  const auto a = parameter(drawn.layer, "lora_a"), b = parameter(drawn.layer, "lora_b");
  drawn.layer.train();
  torch::manual_seed(4);
  const auto kept = at::dropout(drawn.x, .5, true);
  torch::manual_seed(4);
  const auto plain = at::linear(drawn.x, drawn.layer.weight, drawn.layer.bias);
  const auto seen = drawn.layer.forward(drawn.x);
  EXPECT_LT(distance(seen, plain + kept.matmul(a.t()).matmul(b.t())), 1e-5);
  drawn.layer.eval();
  EXPECT_LT(distance(drawn.layer.forward(drawn.x), plain + drawn.x.matmul(a.t()).matmul(b.t())), 1e-5);
  EXPECT_GT(distance(seen, drawn.layer.forward(drawn.x)), .01);
}

TEST(LowRank, StartsFromSeedAndName) {
  const auto drawn_as = [](std::uint64_t seed, const char* name) {
    Linear layer(Init(1, "layer"), 400, 100);
    layer.add_low_rank(Init(seed, name), {.rank = 50});
    return parameter(layer, "lora_a").detach();
  };
  const auto a = drawn_as(1, "image.x");
  EXPECT_TRUE(a.equal(drawn_as(1, "image.x")));
  EXPECT_FALSE(a.equal(drawn_as(2, "image.x")));
  EXPECT_FALSE(a.equal(drawn_as(1, "image.y")));
  EXPECT_NEAR(a.std().item<double>() * std::sqrt(3 * 400.), 1, .02);
}

TEST(LowRank, RefusesASecondPartAndARankThatIsNotLow) {
  Linear layer(Init(1, "layer"), 5, 4);
  EXPECT_THROW(layer.add_low_rank(Init(1, "layer"), {.rank = 5}), c10::Error);
  layer.add_low_rank(Init(1, "layer"), {.rank = 4});
  EXPECT_THROW(layer.add_low_rank(Init(1, "layer"), {.rank = 1}), c10::Error);
}

TEST(LowRank, MergedGivesTheSameUnderTheOrdinaryNames) {
  const auto model = model_with_parts();
  const auto plain = model_of(kTowers, kVocabulary);
  ASSERT_GT(tensors_of(*model).size(), tensors_of(*plain).size());
  const auto [pictures, captions] = embeddings(*model);
  const TensorMap merged = merged_tensors(*model);
  merge_low_rank(*model);

  const auto [same_pictures, same_captions] = embeddings(*model);
  EXPECT_LT(distance(pictures, same_pictures), 1e-5);
  EXPECT_LT(distance(captions, same_captions), 1e-5);
  const TensorMap now = tensors_of(*model);
  EXPECT_EQ(now.size(), tensors_of(*plain).size());
  ASSERT_EQ(now.size(), merged.size());
  for (const auto& [name, tensor] : merged) EXPECT_TRUE(tensor.equal(now.at(name))) << name;
  copy_into(tensors_of(*plain), merged, "merged");  // fits a model that never had parts
  plain->eval();
  EXPECT_LT(distance(embeddings(*plain).first, pictures), 1e-5);
  EXPECT_LT(distance(embeddings(*plain).second, captions), 1e-5);
}

TEST(LowRank, MergedTensorsLeaveTheModuleAsItIs) {
  const auto model = model_with_parts();
  const auto before = parameter(*model, "image.blocks.0.attention.qkv.weight").clone();
  const TensorMap merged = merged_tensors(*model);
  EXPECT_TRUE(parameter(*model, "image.blocks.0.attention.qkv.weight").equal(before));
  EXPECT_FALSE(merged.at("image.blocks.0.attention.qkv.weight").equal(before));
  EXPECT_TRUE(tensors_of(*model).contains("image.blocks.0.attention.qkv.lora_a"));
  EXPECT_EQ(merged.at("image.positions").data_ptr(), parameter(*model, "image.positions").data_ptr());
}

}  // namespace
}  // namespace duet
