#include "optim/groups.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "encoders/low_rank.h"

namespace duet {
namespace {

using testing::ElementsAre;
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
    parameters.emplace_back(name, torch::ones({2, 2}).requires_grad_(true));
  }
  GroupRule rule;
  rule.match = {"image"};
  rule.layer_decay = 0.5;
  const auto plans = plan_parameters(parameters, {rule}, 0);
  const std::vector<double> expected = {0.125, 0.25, 0.25, 0.5, 1};
  for (std::size_t i = 0; i < plans.size(); ++i)
    EXPECT_DOUBLE_EQ(plans[i].lr_scale, expected[i]) << plans[i].name;
}

// A text tower lists its last norm before its blocks; heads may have numbers and blocks of their own.
TEST(Groups, TheLastNormAndHeadsLearnInFull) {
  NamedTensors parameters;
  for (const char* name :
       {"text.tokens", "text.norm.weight", "text.blocks.0.mlp.up.weight", "text.blocks.1.mlp.up.weight",
        "spaces.joint2.text.weight", "objective.word2vec.table", "objective.mae.decoder.blocks.0.out.weight",
        "objective.mae.decoder.blocks.1.out.weight"}) {
    parameters.emplace_back(name, torch::ones({2, 2}).requires_grad_(true));
  }
  GroupRule rule;
  rule.match = {"*"};
  rule.layer_decay = 0.5;
  const auto plans = plan_parameters(parameters, {rule}, 0);
  const std::vector<double> expected = {0.125, 1, 0.25, 0.5, 1, 1, 1, 1};
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

// image.{patches, blocks.0.{up, down}, norm}, 6 to 4 and back.
struct Tower : torch::nn::Module {
  Tower() {
    const Init init(1);
    const auto child = [&](torch::nn::Module& parent, const std::string& name) {
      return parent.register_module(name, std::make_shared<torch::nn::Module>(name));
    };
    const auto image = child(*this, "image");
    add<Linear>(*image, init, "patches", 3, 6);
    const auto block = child(*child(*image, "blocks"), "0");
    add<Linear>(*block, init, "up", 6, 4);
    add<Linear>(*block, init, "down", 4, 6, false);
    add<LayerNorm>(*image, init, "norm", 6);
  }
  std::vector<ParameterPlan> plan(const std::string& groups, std::uint64_t seed = 1) {
    Config recipe = Config::parse("[train]\n" + groups, "r.toml");
    Config train = recipe.table("train");
    const auto rules = read_groups(train);
    recipe.finish();
    add_low_rank(*this, rules, seed);
    NamedTensors parameters;
    for (const auto& item : named_parameters()) parameters.emplace_back(item.key(), item.value());
    return plan_parameters(parameters, rules, 0.2);
  }
  std::string refusal(const std::string& groups) {
    try {
      plan(groups);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::usage);
      return error.what();
    }
    return "accepted";
  }
};

std::vector<std::string> trained(const std::vector<ParameterPlan>& plans) {
  std::vector<std::string> names;
  for (const auto& p : plans) {
    EXPECT_EQ(p.frozen, !p.value.requires_grad()) << p.name;
    if (!p.frozen) names.push_back(p.name);
  }
  return names;
}

TEST(LowRankGroups, TrainPartsInsteadOfTheWeightsTheyStandBeside) {
  const auto plans = Tower().plan(
      "[[train.group]]\nmatch = \"image.blocks\"\nlora_rank = 2\nlr_scale = 3.0\nlayer_decay = 0.5\n");
  EXPECT_THAT(trained(plans),
              ElementsAre("image.patches.weight", "image.patches.bias", "image.blocks.0.up.lora_a",
                          "image.blocks.0.up.lora_b", "image.blocks.0.down.lora_a",
                          "image.blocks.0.down.lora_b", "image.norm.weight", "image.norm.bias"));
  EXPECT_EQ(of(plans, "image.blocks.0.up.lora_a").value.sizes(), (std::vector<std::int64_t>{2, 6}));
  EXPECT_EQ(of(plans, "image.blocks.0.down.lora_b").value.sizes(), (std::vector<std::int64_t>{6, 2}));
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.up.lora_b").lr_scale, 1.5);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.up.lora_b").weight_decay, 0.2);
}

TEST(LowRankGroups, LearnInAFrozenTower) {
  const std::string frozen = "[[train.group]]\nmatch = \"image\"\nfrozen = true\n";
  for (const std::string& groups :
       {frozen + "[[train.group]]\nmatch = \"image.blocks.0.up\"\nlora_rank = 2\n",
        "[[train.group]]\nmatch = \"image.blocks.0.up\"\nlora_rank = 2\n" + frozen}) {
    EXPECT_THAT(trained(Tower().plan(groups)),
                ElementsAre("image.blocks.0.up.lora_a", "image.blocks.0.up.lora_b"));
    EXPECT_THAT(trained(Tower().plan(groups + "[[train.group]]\nmatch = \"*.lora_a\"\nfrozen = true\n")),
                ElementsAre("image.blocks.0.up.lora_b"));
  }
}

TEST(LowRankGroups, AreInTheGroupsOfTheirWeight) {
  const auto plans = Tower().plan(
      "[[train.group]]\nmatch = \"*.up.weight\"\nlora_rank = 2\nlr_scale = 3.0\nweight_decay = 0.0\n");
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.up.lora_a").lr_scale, 3);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.up.lora_a").weight_decay, 0);
  EXPECT_DOUBLE_EQ(of(plans, "image.blocks.0.down.weight").lr_scale, 1);
}

TEST(LowRankGroups, TheLastRankCountsAndAlphaIsTheRank) {
  Tower tower;
  const auto plans = tower.plan(
      "[[train.group]]\nmatch = \"image\"\nlora_rank = 2\nlora_alpha = 32.0\nlora_dropout = 0.1\n"
      "[[train.group]]\nmatch = \"image.blocks\"\nlora_rank = 4\n");
  EXPECT_EQ(of(plans, "image.patches.lora_a").value.size(0), 2);
  EXPECT_EQ(of(plans, "image.blocks.0.up.lora_a").value.size(0), 4);
  const torch::NoGradGuard no_grad;
  for_each_linear(tower, [](const std::string& name, Linear& map) {
    for (const char* part : {"lora_a", "lora_b"}) map.named_parameters().find(part)->fill_(1);
    const double rank = name == "image.patches" ? 2 : 4, scale = name == "image.patches" ? 16 : 1;
    const auto difference = map.merged_weight() - map.weight;
    EXPECT_NEAR(difference.max().item<double>(), scale * rank, 1e-5) << name;
    EXPECT_NEAR(difference.min().item<double>(), scale * rank, 1e-5) << name;
  });
}

TEST(LowRankGroups, StartFromTheSeed) {
  const std::string groups = "[[train.group]]\nmatch = \"image\"\nlora_rank = 2\n";
  const auto drawn = [&](std::uint64_t seed) {
    return of(Tower().plan(groups, seed), "image.patches.lora_a").value.detach();
  };
  EXPECT_TRUE(drawn(1).equal(drawn(1)));
  EXPECT_FALSE(drawn(1).equal(drawn(2)));
}

TEST(LowRankGroups, RefuseWhatDoesNotFit) {
  const auto group = [](const std::string& keys) { return Tower().refusal("[[train.group]]\n" + keys); };
  EXPECT_EQ(group("match = [\"image\", \"image.nrom\"]\nlora_rank = 2\n"),
            "r.toml:3:1: match = 'image.nrom' matches no linear map; linear maps begin with image.patches, "
            "image.blocks");
  EXPECT_THAT(group("match = \"image.norm\"\nlora_rank = 2\n"), HasSubstr("matches no linear map"));
  EXPECT_EQ(group("match = \"image\"\nlora_rank = 5\n"),
            "r.toml:4:1: lora_rank = 5 is more than image.patches.weight has, [6, 3]; set lora_rank to 3 or "
            "less, or match other weights");
  EXPECT_EQ(group("match = \"image\"\nlora_alpha = 5.0\n"),
            "r.toml:4:1: 'lora_alpha' without 'lora_rank'; set lora_rank = 8, say");
  EXPECT_THAT(group("match = \"image\"\nlora_rank = 0\n"), HasSubstr("r.toml:4:1"));
  EXPECT_EQ(group("match = \"image\"\nlora_rank = 3\n"), "accepted");
}

TEST(TrainingMode, LeavesOutWhatIsFrozenWhole) {
  const auto tower = std::make_shared<Tower>();
  tower->plan(
      "[[train.group]]\nmatch = [\"image.patches\", \"image.norm\", \"*.bias\"]\nfrozen = true\n"
      "[[train.group]]\nmatch = \"image.blocks.0.down\"\nlora_rank = 2\n");
  tower->eval();
  set_training_mode(*tower);
  std::vector<std::string> training;
  for (const auto& item : tower->named_modules()) {
    if (item.value()->is_training()) training.push_back(item.key());
  }
  EXPECT_THAT(training, ElementsAre("", "image", "image.blocks", "image.blocks.0", "image.blocks.0.up",
                                    "image.blocks.0.down"));
}

}  // namespace
}  // namespace duet
