// No changed byte of a bundle is ever used: every byte of every file is flipped, every file is cut at every
// length.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "../support/temporary_folder.h"
#include "core/error.h"
#include "core/files.h"
#include "retrieval/bundle.h"
#include "vectors.h"

namespace duet {
namespace {

// How the bundle answers: whether it was refused as a damaged artifact.
bool refused(const fs::path& bundle) {
  try {
    Bundle::open(bundle);
    return false;
  } catch (const Error& error) {
    return error.exit() == Exit::artifact;
  }
}

// All files, or with a candidates file only that one: the others are as in a Flat bundle.
std::vector<fs::path> files_of(const fs::path& bundle) {
  const std::string current = read_file(bundle / "CURRENT");
  const fs::path generation = bundle / current.substr(0, current.find(' '));
  if (fs::exists(generation / "candidates.faiss")) return {generation / "candidates.faiss"};
  std::vector<fs::path> files = {bundle / "CURRENT"};
  for (const auto& entry : fs::recursive_directory_iterator(generation)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

void write_plainly(const fs::path& path, std::string_view content) {  // without fsync: thousands of times
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

class DamageTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SmallBundle small = small_bundle(folder_.path(), 100, 4);
    small.content.items.resize(100);
    for (Item& item : small.content.items) item.captions.clear();
    write_bundle(bundle_, small.content, {.factory = GetParam()});
    write_bundle(bundle_, small.content,
                 {.factory = GetParam()});  // an older generation lies there to be mistaken for it
    ASSERT_FALSE(refused(bundle_));
  }

  TemporaryFolder folder_;
  fs::path bundle_ = folder_ / "index";
};

TEST_P(DamageTest, EveryFlippedByteIsRefused) {
  std::size_t tried = 0, used = 0;
  for (const fs::path& file : files_of(bundle_)) {
    const std::string whole = read_file(file);
    write_plainly(file, whole);
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](std::size_t place, char byte) {
      out.seekp(static_cast<std::streamoff>(place));
      out.put(byte).flush();
    };
    for (std::size_t place = 0; place < whole.size(); ++place, ++tried) {
      put(place, static_cast<char>(whole[place] ^ (1 << (tried % 8))));
      if (!refused(bundle_)) {
        ++used;
        ADD_FAILURE() << file << " byte " << place;
      }
      put(place, whole[place]);
    }
  }
  std::printf("%s: %zu of %zu flipped bytes refused\n", GetParam(), tried - used, tried);
  EXPECT_GT(tried, 1'000U);
  EXPECT_FALSE(refused(bundle_));
}

TEST_P(DamageTest, EveryCutIsRefused) {
  std::size_t tried = 0, used = 0;
  for (const fs::path& file : files_of(bundle_)) {
    const std::string whole = read_file(file);
    for (std::size_t length = whole.size(); length-- > 0; ++tried) {
      fs::resize_file(file, length);
      if (!refused(bundle_)) {
        ++used;
        ADD_FAILURE() << file << " cut to " << length;
      }
    }
    write_plainly(file, whole + "x");
    EXPECT_TRUE(refused(bundle_)) << file << " with a byte more";
    fs::remove(file);
    EXPECT_TRUE(refused(bundle_)) << file << " missing";
    write_plainly(file, whole);
  }
  std::printf("%s: %zu of %zu cuts refused\n", GetParam(), tried - used, tried);
  EXPECT_FALSE(refused(bundle_));
}

INSTANTIATE_TEST_SUITE_P(Factories, DamageTest, testing::Values("Flat", "HNSW4", "IVF2,SQ8"),
                         [](const auto& tested) { return std::string(tested.param).substr(0, 4); });

}  // namespace
}  // namespace duet
