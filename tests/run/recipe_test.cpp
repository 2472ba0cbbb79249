#include "run/recipe.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

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

TEST(Recipe, PathsMayHoldAnEqualsSign) {
  const TemporaryFolder folder;
  const std::string there = (folder / "eq=ual.csv").string();
  write_file(there, "");
  const NamedSource whole = named_source(there, {}, {});
  EXPECT_EQ(whole.name, "eq=ual");
  EXPECT_EQ(whole.options.data, there);
  const NamedSource named = named_source("test=" + there, {}, {});
  EXPECT_EQ(named.name, "test");
  EXPECT_EQ(named.options.data, there);
}

TEST(Recipe, ASplitIsCalledAsItsFileOrFolderHoweverItsPathIsSpelled) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "photos.v2/cat");
  write_file(folder / "val.small.csv", "filepath,label\n");
  const auto name_of = [&](const std::string& path) {
    return named_source((folder / path).string(), {}, {}).name;
  };
  EXPECT_EQ(name_of("photos.v2"), "photos.v2");
  EXPECT_EQ(name_of("photos.v2/"), "photos.v2");
  EXPECT_EQ(name_of("photos.v2//."), "photos.v2");
  EXPECT_EQ(name_of("photos.v2/cat/.."), "photos.v2");
  EXPECT_EQ(name_of("val.small.csv"), "val.small");
  EXPECT_EQ(name_of("photos.v2/../val.small.csv"), "val.small");
  EXPECT_EQ(named_source("none/at all/", {}, {}).name, "at all");
  EXPECT_EQ(named_source("shapes:20:3", {}, {}).name, "shapes:20:3");
  EXPECT_EQ(named_source(".", {}, {}).name, fs::current_path().filename());
  EXPECT_EQ(named_source(fs::path(folder / "photos.v2/").string(), {}, {}).options.data,
            (folder / "photos.v2/").string());
  for (const char* nameless : {"", "/", "=val.csv"}) {
    const Failure failure = failure_of([&] { named_source(nameless, {}, {}); });
    EXPECT_EQ(failure.exit, Exit::usage);
    EXPECT_NE(failure.text.find("tells no name for this split; write NAME=PATH"), std::string::npos)
        << failure.text;
  }
}

TEST(Recipe, TomlReadsBackAsTheSameRecipe) {
  const Recipe first = read_with({"train.lr=0.25"});
  const Recipe second = read_recipe(Config::parse(first.toml, "again"));
  EXPECT_EQ(second.toml, first.toml);
  EXPECT_EQ(second.train.optimizer.adamw.lr, 0.25);
}

TEST(Recipe, HasOneBudget) {
  EXPECT_EQ(
      refusal({}, "minutes = 2\n"),
      "test.toml:16:1: 'steps' and 'minutes' in [train] are more than one budget; set one of steps, epochs and "
      "minutes");
  EXPECT_EQ(refusal({"train.steps=0"}),
            "test.toml:13:1: [train] has no budget; set one of steps, epochs and minutes");
  EXPECT_EQ(refusal({}, "minutes = 0\n"), "accepted");
  const Recipe timed = read_with({"train.minutes=0.5"});
  EXPECT_EQ(timed.train.minutes, 0.5);
  EXPECT_EQ(timed.train.steps, 0);
  const Recipe counted = read_with({"train.minutes=0.5", "train.minutes=0", "train.steps=20"});
  EXPECT_EQ(counted.train.minutes, 0);
  EXPECT_EQ(counted.train.steps, 20);
  EXPECT_EQ(counted.toml.find("minutes"), std::string::npos) << counted.toml;
}

// An earlier version wrote down the steps that minutes came to, and the minutes too.
TEST(Recipe, ASavedOneMayHoldMinutesBesideTheirSteps) {
  const TemporaryFolder folder;
  write_file(folder / "recipe.toml", std::string(kRecipe) + "minutes = 2\n");
  EXPECT_THROW(read_recipe(Config::read(folder / "recipe.toml")), Error);
  write_file(folder / "manifest.json", "{}");
  EXPECT_EQ(read_recipe(Config::read(folder / "recipe.toml")).train.steps, 10);
}

TEST(Recipe, SomeSpaceHasAWeight) {
  const std::string one = "[[space]]\nname = \"joint\"\n", two = one + "[[space]]\nname = \"b\"\nweight = 0\n";
  EXPECT_EQ(refusal({"space.0.weight=0"}, one),
            "--set space.0.weight=0: no embedding space has a weight; give one [[space]] a weight above 0, or "
            "\"auto\"");
  EXPECT_EQ(refusal({}, two), "accepted");
  EXPECT_NE(refusal({"space.0.weight=0"}, two).find("test.toml:20:1: no embedding space has a weight"),
            std::string::npos)
      << refusal({"space.0.weight=0"}, two);
  EXPECT_EQ(refusal({"space.0.weight=0", "space.1.weight=auto"}, two), "accepted");
}

TEST(Recipe, DataThatIsNotThereSaysWherePathsStart) {
  const auto message = [](const std::string& data) {
    try {
      read_recipe_source({.data = data});
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::data);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::string lost = message("nowhere/pairs.csv");
  EXPECT_EQ(lost.find("nowhere/pairs.csv: no such file"), 0U) << lost;
  for (const char* part : {"the folder where duet is started", "--set data.train=PATH", "--data PATH"})
    EXPECT_NE(lost.find(part), std::string::npos) << lost;
  EXPECT_EQ(message("/nowhere/pairs.csv").find("started"), std::string::npos);
  EXPECT_EQ(message("shapes:8"), "accepted");
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
