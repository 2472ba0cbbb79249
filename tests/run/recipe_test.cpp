#include "run/recipe.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace duet {
namespace {

constexpr const char* kRecipe = R"([data]
train = "a.tsv"
validation = ["val.tsv", "novel=b/other.tsv"]
[image]
kind = "convnet"
size = 32
[text]
kind = "bag_of_tokens"
[views.main]
crop = [0.5, 1.0]
[[objective]]
kind = "info_nce"
[train]
batch = 8
steps = 10
)";

Recipe read_with(const std::vector<std::string>& sets) {
  Config config = Config::parse(kRecipe, "test.toml");
  for (const std::string& assignment : sets) config.set(assignment);
  return read_recipe(config);
}

std::string refusal(const std::vector<std::string>& sets, const std::string& more = "") {
  try {
    Config config = Config::parse(kRecipe + more, "test.toml");
    for (const std::string& assignment : sets) config.set(assignment);
    read_recipe(config);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "accepted";
}

TEST(Recipe, IsReadWhole) {
  const Recipe recipe = read_with({"seed=9"});
  EXPECT_EQ(recipe.seed, 9u);
  EXPECT_EQ(recipe.data.train.data, "a.tsv");
  ASSERT_EQ(recipe.data.validation.size(), 2u);
  EXPECT_EQ(recipe.data.validation[0].name, "val");
  EXPECT_EQ(recipe.data.validation[1].name, "novel");
  EXPECT_EQ(recipe.data.validation[1].options.data, "b/other.tsv");
  EXPECT_EQ(recipe.preprocessing.size, 32);
  ASSERT_EQ(recipe.views.size(), 1u);
  EXPECT_EQ(recipe.views[0].size, 32);
  EXPECT_EQ(recipe.train.steps, 10);
  ASSERT_EQ(recipe.model.spaces.size(), 1u);
  EXPECT_EQ(recipe.model.spaces[0].name, "joint");
}

TEST(Recipe, TomlReadsBackAsTheSameRecipe) {
  const Recipe first = read_with({"train.lr=0.25"});
  const Recipe second = read_recipe(Config::parse(first.toml, "again"));
  EXPECT_EQ(second.toml, first.toml);
  EXPECT_EQ(second.train.optimizer.adamw.lr, 0.25);
}

TEST(Recipe, RefusesWithPlaceKeyAndRemedy) {
  using testing::internal::RE;
  EXPECT_NE(
      refusal({}, "bach = 3\n").find("test.toml:16:1: unknown key 'bach' in [train]; did you mean 'batch'?"),
      std::string::npos)
      << refusal({}, "bach = 3\n");
  EXPECT_NE(refusal({}, "minutes = -1\n").find("minutes"), std::string::npos);
  EXPECT_NE(refusal({"train.steps=0"}).find("steps, epochs and minutes"), std::string::npos)
      << refusal({"train.steps=0"});
  EXPECT_NE(refusal({"data.split=0.1"}).find("split"), std::string::npos);
  EXPECT_NE(refusal({"image.kind=vitt"}).find("vit"), std::string::npos);
  EXPECT_NE(refusal({"train.precision=fp8"}).find("bf16"), std::string::npos);
}

}  // namespace
}  // namespace duet
