// What is refused before a run begins.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace duet
