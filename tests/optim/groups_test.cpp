#include "optim/groups.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace duet {
namespace {

using testing::HasSubstr;

NamedTensors model() {
  NamedTensors parameters;
  for (const char* name : {"image.position", "image.blocks.0.attention.weight", "image.blocks.0.attention.bias",
                           "image.blocks.1.attention.weight", "image.norm.weight", "text.table",
                           "text.linear.weight", "spaces.joint.image.weight", "spaces.joint.logit_scale"}) {
    const std::string text = name;
    const bool vector = text.ends_with("bias") || text.ends_with("norm.weight");
    const auto value = text.ends_with("scale") ? torch::ones({})
                       : vector                ? torch::ones({2})
                                               : torch::ones({2, 2});
    parameters.emplace_back(text, value.requires_grad_(true));
  }
  return parameters;
}

std::vector<ParameterPlan> plan(const std::string& groups) {
  Config recipe = Config::parse("[train]\n" + groups, "r.toml");
  Config train = recipe.table("train");
  const auto rules = read_groups(train);
  recipe.finish();
  return plan_parameters(model(), rules, 0.2);
}

const ParameterPlan& of(const std::vector<ParameterPlan>& plans, const std::string& name) {
  for (const auto& plan : plans) {
    if (plan.name == name) return plan;
  }
  throw std::out_of_range(name);
}

std::string message(const std::string& groups) {
  try {
    plan(groups);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}

TEST(Groups, VectorsAndScalarsDoNotDecay) {
  for (const auto& p : plan("")) {
    EXPECT_EQ(p.weight_decay, p.value.dim() < 2 ? 0 : 0.2) << p.name;
    EXPECT_EQ(p.lr_scale, 1) << p.name;
    EXPECT_FALSE(p.frozen);
  }
}

TEST(Groups, PatternsAndPrefixes) {
  EXPECT_TRUE(matches_parameter("text.*", "text.linear.weight"));
  EXPECT_TRUE(matches_parameter("*.bias", "image.blocks.0.attention.bias"));
  EXPECT_TRUE(matches_parameter("image.blocks.1", "image.blocks.1.attention.weight"));
  EXPECT_FALSE(matches_parameter("image.blocks.1", "image.blocks.10.attention.weight"));
  EXPECT_TRUE(matches_parameter("text.table", "text.table"));
  EXPECT_TRUE(matches_parameter("text.", "text.table"));
  EXPECT_FALSE(matches_parameter("ext", "text.table"));
  EXPECT_FALSE(matches_parameter("*.bia", "image.blocks.0.attention.bias"));
}

TEST(Groups, ScalesMultiplyAndTheLastDecayCounts) {
  const auto plans = plan(
      "[[train.group]]\nmatch = \"text.*\"\nlr_scale = 3.0\nweight_decay = 0.1\n"
      "[[train.group]]\nmatch = [\"text.table\", \"*table\"]\nlr_scale = 2.0\nweight_decay = 0.0\n");
  EXPECT_DOUBLE_EQ(of(plans, "text.linear.weight").lr_scale, 3);
  EXPECT_DOUBLE_EQ(of(plans, "text.linear.weight").weight_decay, 0.1);
  EXPECT_DOUBLE_EQ(of(plans, "text.table").lr_scale, 6);  // two patterns of one rule count once
  EXPECT_DOUBLE_EQ(of(plans, "text.table").weight_decay, 0);
  EXPECT_DOUBLE_EQ(of(plans, "image.position").weight_decay, 0.2);
}

TEST(Groups, FrozenParametersWantNoGradient) {
  const auto plans = plan("[[train.group]]\nmatch = \"image\"\nfrozen = true\n");
  for (const auto& p : plans) {
    EXPECT_EQ(p.frozen, p.name.starts_with("image.")) << p.name;
    EXPECT_EQ(p.value.requires_grad(), !p.frozen) << p.name;
  }
}

TEST(Groups, LayersFurtherFromTheOutputLearnSlower) {
  const auto plans = plan("[[train.group]]\nmatch = [\"image\", \"text\"]\nlayer_decay = 0.5\n");
  EXPECT_DOUBLE_EQ(of(plans, "image.norm.weight").lr_scale, 1);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.1.attention.weight").lr_scale, 0.5);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.attention.weight").lr_scale, 0.25);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.attention.bias").lr_scale, 0.25);
  EXPECT_DOUBLE_EQ(of(plans, "image.position").lr_scale, 0.125);
  EXPECT_DOUBLE_EQ(of(plans, "text.table").lr_scale, 1);  // a tower without blocks is one layer
  EXPECT_DOUBLE_EQ(of(plans, "spaces.joint.image.weight").lr_scale, 1);
}

TEST(Groups, ResidualStagesAreLayersToo) {
  NamedTensors parameters;
  for (const char* name : {"image.stem.weight", "image.stage0_0.conv1.weight", "image.stage0_0.conv2.weight",
                           "image.stage1_0.conv1.weight", "image.map.weight"}) {
    parameters.emplace_back(name, torch::ones({2, 2}));
  }
  GroupRule rule;
  rule.match = {"image"};
  rule.layer_decay = 0.5;
  const auto plans = plan_parameters(parameters, {rule}, 0);
  const std::vector<double> expected = {0.125, 0.25, 0.25, 0.5, 1};
  for (std::size_t i = 0; i < plans.size(); ++i)
    EXPECT_DOUBLE_EQ(plans[i].lr_scale, expected[i]) << plans[i].name;
}

TEST(Groups, APatternThatMatchesNothingIsAnError) {
  const auto text = message("[[train.group]]\nmatch = \"image.bloks\"\nlr_scale = 2.0\n");
  EXPECT_THAT(text, HasSubstr("r.toml:3"));
  EXPECT_THAT(text, HasSubstr("'image.bloks' matches no parameter"));
  EXPECT_THAT(text, HasSubstr("did you mean 'image.blocks'?"));
  EXPECT_THAT(text, HasSubstr("spaces.joint"));
}

TEST(Groups, FreezingEverythingIsAnError) {
  EXPECT_THAT(message("[[train.group]]\nmatch = \"*\"\nfrozen = true\n"), HasSubstr("freeze every parameter"));
}

TEST(Groups, AGroupNeedsAMatch) {
  const auto text = message("[[train.group]]\nlr_scale = 2.0\n");
  EXPECT_THAT(text, HasSubstr("r.toml:2"));
  EXPECT_THAT(text, HasSubstr("needs 'match'"));
}

}  // namespace
}  // namespace duet
