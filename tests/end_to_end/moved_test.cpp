// A run goes on from another working folder after it, its table of pictures or the pictures were moved, and
// ends with the bytes of the run that stayed.
#include <gtest/gtest.h>

#include "core/files.h"
#include "run/checkpoint.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A run with paths relative to `home`, and what was on the disk when it was halfway through.
class Moved : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const fs::path home = *folder_ / "home";
    fs::create_directories(home);
    fs::create_directories(*folder_ / "elsewhere");
    make_pictures(home, 64);
    make_recipe(home, "photos.csv", 40);
    const Finished train = duet_program(
        {"train", "recipe.toml", "-q", "--threads", "1", "--set", "train.keep=9", "--out", "whole"}, home);
    ASSERT_EQ(train.exit, 0) << train.err;
    copy(home / "whole", home / "stopped");
    fs::remove_all(home / "stopped/model");
    for (const std::int64_t step : checkpoint_steps(home / "whole"))
      if (step > 20) fs::remove_all(checkpoint_folder(home / "stopped", step));
  }
  static void TearDownTestSuite() { delete folder_; }

  static fs::path home() { return *folder_ / "home"; }
  static fs::path elsewhere() { return *folder_ / "elsewhere"; }
  static fs::path copy(const fs::path& from, const fs::path& to) {
    fs::create_directories(to.parent_path());
    fs::copy(from, to, fs::copy_options::recursive);
    return to;
  }
  // The stopped run under another name, there to be resumed.
  static fs::path moved_run(const std::string& name) { return copy(home() / "stopped", elsewhere() / name); }
  static Arguments resume(const fs::path& run, const Arguments& more = {}) {
    Arguments arguments = {"train", "-q", "--resume", run.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(Moved, RunAlone) {
  const fs::path run = moved_run("run élsewhere");
  const Finished resumed = duet_program(resume(run), home());
  ASSERT_EQ(resumed.exit, 0) << resumed.err;
  expect_same_run(home() / "whole", run);
}

TEST_F(Moved, RunAndData) {
  const fs::path run = moved_run("run and data"), data = elsewhere() / "some data";
  copy(home() / "photos.csv", data / "pairs.csv");
  copy(home() / "pictures", data / "pictures");
  const Finished resumed =
      duet_program(resume("run and data", {"--set", "data.train=some data/pairs.csv"}), elsewhere());
  ASSERT_EQ(resumed.exit, 0) << resumed.err;
  expect_same_run(home() / "whole", run);
}

TEST_F(Moved, PicturesApartFromTheirTable) {
  const fs::path run = moved_run("apart");
  copy(home() / "pictures", elsewhere() / "deep/down/pictures");
  const std::string table = copy(home() / "photos.csv", elsewhere() / "table/photos.csv").string();
  const Finished resumed =
      duet_program(resume(run, {"--set", "data.train=" + table, "--root", "deep/down"}), elsewhere());
  ASSERT_EQ(resumed.exit, 0) << resumed.err;
  expect_same_run(home() / "whole", run);
}

// Nothing is lost by a try without the data, or with other data.
TEST_F(Moved, DataThatIsNotThereOrNotTheSameIsRefused) {
  const fs::path run = moved_run("refused"), other = elsewhere() / "other";
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  const Finished lost = duet_program(resume(run), elsewhere());
  EXPECT_EQ(lost.exit, 3);
  EXPECT_TRUE(contains(lost.err, "photos.csv")) << lost.err;
  make_pictures(other, 48);
  const std::string table = (other / "photos.csv").string();
  const Finished changed = duet_program(resume(run, {"--set", "data.train=" + table}), elsewhere());
  EXPECT_EQ(changed.exit, 3);
  EXPECT_TRUE(contains(changed.err, table) && contains(changed.err, "not what this run was started on") &&
              contains(changed.err, "--set data.train"))
      << changed.err;
  const Finished recipe = duet_program(resume(run, {"--set", "train.lr=1"}), home());
  EXPECT_EQ(recipe.exit, 2);
  EXPECT_EQ(checkpoint_steps(run), steps);
  ASSERT_EQ(duet_program(resume(run), home()).exit, 0);
  expect_same_run(home() / "whole", run);
}

}  // namespace
}  // namespace duet
