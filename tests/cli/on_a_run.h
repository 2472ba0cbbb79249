// A run, and data, for tests of the programs that work on one.
#pragma once
#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"
#include "tests/support/shell.h"
#include "tests/support/temporary_folder.h"

namespace duet {

inline std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    files.insert(entry.path().lexically_relative(folder).string());
  return files;
}

// The stored run of four steps as one that can be written to, and pictures that cannot be read: what is refused
// before a pixel is looked at needs no better ones.
class OnARun : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(fs::path(DUET_GOLDEN) / "run-v1", run_, fs::copy_options::recursive);
    fs::copy_file(run_ / "checkpoints/step-4/recipe.toml", run_ / "recipe.toml");
  }
  ShellResult duet(const std::string& arguments) const {
    return shell(cat("cd ", quoted(folder_.path()), " && ", quoted(DUET_PROGRAM), " ", arguments));
  }
  fs::path pictures(const std::string& name, int count) const {
    const std::vector<std::string> captions = {"red kite",   "blue boat",  "green tree", "black cat",
                                               "old bridge", "tall tower", "small dog",  "white house"};
    fs::create_directories(folder_ / name);
    for (int i = 0; i < count; ++i) write_file(folder_ / name / (captions[i % 8] + ".png"), cat("picture ", i));
    return folder_ / name;
  }
  // An uncompressed BMP: 8x8, one colour.
  fs::path drawing(const std::string& name = "drawing.bmp", char grey = '\x55') const {
    std::string bytes("BM\xf6\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x08\0\0\0\x08\0\0\0\x01\0\x18\0", 30);
    bytes.append(24, '\0').append(8 * 8 * 3, grey);
    fs::create_directories((folder_ / name).parent_path());
    write_file(folder_ / name, bytes);
    return folder_ / name;
  }
  // Two classes of so many drawings each.
  void classes(const std::string& name, int count) const {
    for (int i = 0; i < count; ++i) {
      drawing(cat(name, "/dark/", i, ".bmp"), static_cast<char>(i));
      drawing(cat(name, "/light/", i, ".bmp"), static_cast<char>(200 + i));
    }
  }
  void expect_whole() const {
    EXPECT_NO_THROW(open_sealed(run_ / "model", "duet-model", 1));
    EXPECT_NO_THROW(open_sealed(run_ / "checkpoints/step-4", "duet-checkpoint", 1));
  }

  TemporaryFolder folder_;
  const fs::path run_ = folder_ / "run";
};

}  // namespace duet
