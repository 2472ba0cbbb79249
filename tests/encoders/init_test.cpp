#include "encoders/init.h"

#include <gtest/gtest.h>

#include "encoders/blocks.h"
#include "towers.h"

namespace duet {
namespace {

TEST(Init, IsAFunctionOfSeedAndName) {
  const Init init(7);
  const auto value = (init / "image" / "stem").normal("weight", {4, 3}, 1);
  EXPECT_EQ(distance((Init(7) / "image" / "stem").normal("weight", {4, 3}, 1), value), 0);
  EXPECT_GT(distance((Init(8) / "image" / "stem").normal("weight", {4, 3}, 1), value), .01);
  EXPECT_GT(distance((init / "text" / "stem").normal("weight", {4, 3}, 1), value), .01);
  EXPECT_GT(distance((init / "image" / "stem").normal("bias", {4, 3}, 1), value), .01);
  EXPECT_EQ((init / "image" / "stem").path(), "image.stem");
}

TEST(Init, HasTheAskedMoments) {
  const Init init(1);
  const auto normal = init.normal("n", {100, 100}, .5);
  EXPECT_NEAR(normal.mean().item<double>(), 0, .02);
  EXPECT_NEAR(normal.std().item<double>(), .5, .02);
  const auto cut = init.truncated_normal("t", {100, 100}, .5);
  EXPECT_LE(cut.abs().max().item<double>(), 1);
  EXPECT_NEAR(cut.std().item<double>(), .5 * .8796, .02);  // of a normal cut at 2
  const auto uniform = init.uniform("u", {100, 100}, -1, 3);
  EXPECT_GE(uniform.min().item<double>(), -1);
  EXPECT_LT(uniform.max().item<double>(), 3);
  EXPECT_NEAR(uniform.mean().item<double>(), 1, .05);
}

TEST(Init, AnotherModuleChangesNoOnesValues) {
  const std::string text =
      "[image]\nkind = \"convnet\"\nstem = 8\nwidths = [8]\n[text]\nkind = \"bag_of_tokens\"\nwidth = 8\n";
  const auto one = state_of(*model_of(text, 20));
  const auto two = state_of(*model_of(text + "[[space]]\n[[space]]\nkind = \"pieces\"\n", 20));
  EXPECT_GT(two.size(), one.size());
  for (const auto& [name, value] : one) EXPECT_EQ(distance(value, two.at(name)), 0) << name;
}

// The name that a value is drawn from is the name that it is stored under.
TEST(Init, PathsAreParameterNames) {
  const auto model = model_of(
      "[image]\nkind = \"vit\"\nwidth = 8\nheads = 2\nlayers = 1\n[text]\nwidth = 8\nheads = 2\nlayers = 1\n",
      20);
  const auto state = state_of(*model);
  const auto drawn = [](const std::string& path, at::IntArrayRef shape, double std) {
    const auto dot = path.rfind('.');
    return (Init(1) / path.substr(0, dot)).normal(path.substr(dot + 1), shape, std);
  };
  for (const std::string name :
       {"image.blocks.0.attention.qkv.weight", "image.patches.weight", "image.positions", "text.tokens",
        "text.blocks.0.mlp.down.weight", "spaces.joint.image.weight", "spaces.joint.text.weight"}) {
    const auto& value = state.at(name);
    const auto again = drawn(name, value.sizes(), 1);
    const double std = (value.flatten()[0] / again.flatten()[0]).item<double>();
    EXPECT_LT(distance(value, again * std), 1e-6) << name;
  }
}

}  // namespace
}  // namespace duet
