// A disk that runs full at one place or another of a save: one message with the file and the reason, what was
// saved before is whole, and with more space everything ends as if nothing had happened. Needs the right to
// mount a file system of a few megabytes.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "core/files.h"
#include "core/format.h"
#include "run/checkpoint.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// But for the lock, which holds the number of its last process: that may get a digit more.
std::uintmax_t bytes_below(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != ".lock") bytes += entry.file_size();
  return bytes;
}

class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& folder) : folder_(folder) {
    fs::create_directories(folder_);
    mounted_ = mount("none", folder_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const fs::path& folder() const { return folder_; }
  void set_size(std::uintmax_t bytes) {
    const std::string size = cat("size=", bytes);
    if (mount("none", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, size.c_str()) != 0)
      throw std::runtime_error("cannot change the size of " + folder_.string());
  }
  void set_free(std::uintmax_t bytes) {
    const fs::space_info space = fs::space(folder_);
    set_size(space.capacity - space.free + bytes);
  }

 private:
  fs::path folder_;
  bool mounted_ = false;
};

constexpr std::uintmax_t kPlenty = 256 << 20;

// The file's name and the reason are said, and nothing else went wrong.
void expect_full(const Finished& finished, const fs::path& disk) {
  EXPECT_EQ(finished.exit, 1) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("error: " + (disk / "").string())) << finished.err;
  EXPECT_TRUE(contains(finished.err, "cannot be written: ") &&
              (contains(finished.err, "No space left on device") || contains(finished.err, "disk is full")))
      << finished.err;
  EXPECT_TRUE(contains(finished.err, "space on the disk") || contains(finished.err, "free some space"))
      << finished.err;
}

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "may not mount a file system here";
    recipe_ = make_recipe(folder_.path(), manifest_, 40);
    ASSERT_EQ(duet_program(train(whole_)).exit, 0);
  }
  Arguments train(const fs::path& run) const {
    return {"train", recipe_.string(), "-q", "--threads", "1", "--out", run.string()};
  }

  TemporaryFolder folder_;
  SmallDisk disk_{folder_ / "disk"};
  fs::path manifest_ = make_pictures(folder_.path(), 96), recipe_, whole_ = folder_ / "whole";
};

TEST_F(FullDisk, TrainKeepsItsCheckpointsAndGoesOn) {
  const auto checkpoint = static_cast<double>(bytes_below(checkpoint_folder(whole_, 40)));
  int with_checkpoint = 0;
  // Checkpoints that fit: none, the first in part, ...; two stay, and a third is written beside them.
  for (const double room : {0.03, 0.4, 0.9, 1.3, 1.6, 1.9, 2.4, 2.8}) {
    const fs::path run = disk_.folder() / cat("run ", room);
    disk_.set_free(static_cast<std::uintmax_t>(room * checkpoint));
    expect_full(duet_program(train(run)), disk_.folder());
    const std::vector<std::int64_t> steps = checkpoint_steps(run);
    EXPECT_GE(static_cast<double>(steps.size()), room - 1);
    for (const std::int64_t step : steps) EXPECT_NO_THROW(open_checkpoint(run, step)) << step;
    EXPECT_FALSE(fs::exists(run / "model"));
    with_checkpoint += !steps.empty();
    disk_.set_size(kPlenty);
    const bool begun = fs::exists(run / "recipe.toml");
    const Finished resumed =
        duet_program(begun ? Arguments{"train", "-q", "--resume", run.string()} : train(run));
    ASSERT_EQ(resumed.exit, 0) << resumed.err;
    expect_same_run(whole_, run);
    fs::remove_all(run);
  }
  EXPECT_GE(with_checkpoint, 5);
}

TEST_F(FullDisk, IndexLeavesTheOldBundle) {
  const fs::path bundle = disk_.folder() / "bundle";
  const auto index = [&](const fs::path& images) {
    return duet_program({"index", whole_.string(), "-q", "--images", images.string(), "--out", bundle.string(),
                         "--factory", "HNSW8"});
  };
  disk_.set_size(kPlenty);
  ASSERT_EQ(index(first_rows(manifest_, 60)).exit, 0);
  const std::string old = answer_of(bundle);
  const std::uintmax_t before = bytes_below(bundle), model = bytes_below(bundle / "gen-1/model");
  // The model is written first, then rows, candidates and catalogue, then the model again as their own.
  for (const std::uintmax_t room :
       {std::uintmax_t{0}, model / 2, model + 0x2000, model + 0x7000, model + 0xb000, model + 0xf000,
        model + 0x18000, model + model / 2, 2 * model}) {
    disk_.set_free(room);
    expect_full(index(manifest_), disk_.folder());
    EXPECT_EQ(answer_of(bundle), old) << room;
    EXPECT_EQ(bytes_below(bundle), before) << "nothing half written stays on a full disk";
  }
  disk_.set_size(kPlenty);
  ASSERT_EQ(index(manifest_).exit, 0);
  EXPECT_NE(answer_of(bundle), old);
}

}  // namespace
}  // namespace duet
