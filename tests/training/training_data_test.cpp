// What is refused before a run begins.
#include <gtest/gtest.h>

#include <map>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "training/trainer.h"

namespace duet {
namespace {

// A table of `count` pictures of which `missing` are not there.
void make_table(const fs::path& file, int count, int missing) {
  std::string rows = "filepath,caption\n";
  for (int i = 0; i < count; ++i) {
    const std::string name = cat(file.stem().string(), i, ".png");
    rows += cat(name, ",a thing of kind ", i, "\n");
    if (i >= missing) write_file(file.parent_path() / name, cat(file.string(), i));
  }
  write_file(file, rows);
}

Recipe recipe_of(const std::string& data) {
  return read_recipe(Config::parse(cat("[data]\n", data, R"(
[image]
kind = "convnet"
[text]
kind = "bag_of_tokens"
[[objective]]
kind = "info_nce"
[train]
batch = 4
steps = 1
)"),
                                   "test"));
}

TEST(TrainingData, TooManyMissingPicturesAreRefusedAtOnce) {
  const TemporaryFolder folder;
  const auto table = [&](const char* name, int count, int missing) {
    make_table(folder / name, count, missing);
    return (folder / name).string();
  };
  const auto failure = [&](const std::string& train, const std::string& more) {
    return failure_of([&] { read_training_data(recipe_of(cat("train = \"", train, "\"\n", more)), ""); });
  };
  const std::string one = table("one.csv", 40, 1), some = table("some.csv", 40, 3),
                    none = table("none.csv", 40, 0);
  EXPECT_EQ(failure(one, "").text, "");  // one is let pass
  EXPECT_EQ(failure(one, "max_bad_fraction = 0").exit, Exit::data);
  EXPECT_EQ(failure(some, "max_bad_fraction = 0.1").text, "");
  const Failure many = failure(some, "");
  EXPECT_EQ(many.exit, Exit::data);
  EXPECT_NE(many.text.find("3 of 40 pictures cannot be read, more than data.max_bad_fraction = 0.01 allows:"),
            std::string::npos)
      << many.text;
  EXPECT_NE(many.text.find((folder / "some1.png").string() + ": no such file"), std::string::npos) << many.text;
  const Failure validation = failure(none, cat("validation = [\"", table("val.csv", 10, 2), "\"]"));
  EXPECT_EQ(validation.exit, Exit::data);
  EXPECT_NE(validation.text.find("val0.png: no such file"), std::string::npos) << validation.text;
}

TEST(TrainingData, ALostTableSaysWherePathsStart) {
  const Failure lost = failure_of([] { read_training_data(recipe_of("train = \"lost/pairs.csv\""), ""); });
  EXPECT_EQ(lost.exit, Exit::data);
  EXPECT_NE(lost.text.find("the folder where duet is started"), std::string::npos) << lost.text;
}

// Few labels: the same part each time, and none of what is held out.
TEST(TrainingData, AShareOfThePairsIsInWholeConcepts) {
  const TrainingData all = read_training_data(recipe_of("train = \"shapes:400:1\"\nsplit = 0.2"), "");
  const TrainingData few =
      read_training_data(recipe_of("train = \"shapes:400:1\"\nsplit = 0.2\ntrain_share = 0.25"), "");
  EXPECT_EQ(few.train.name, "pairs");
  ASSERT_EQ(few.validation.front().pairs.size(), all.validation.front().pairs.size());
  EXPECT_NEAR(static_cast<double>(few.train.pairs.size()), 0.25 * static_cast<double>(all.train.pairs.size()),
              12);
  std::map<std::string, std::size_t> whole, part;
  for (const Pair& pair : all.train.pairs) ++whole[pair.concept_key];
  for (const Pair& pair : few.train.pairs) ++part[pair.concept_key];
  for (const auto& [concept_key, pairs] : part) EXPECT_EQ(pairs, whole[concept_key]) << concept_key;
  for (const Pair& pair : few.validation.front().pairs) EXPECT_FALSE(part.contains(pair.concept_key));
}

}  // namespace
}  // namespace duet
