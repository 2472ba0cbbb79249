#include "core/checksum.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

// Values of xxHash's own specification and of `xxhsum -H2`.
TEST(Checksum, EqualsThePublishedValues) {
  EXPECT_EQ(checksum(std::string_view()), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
}

TEST(Checksum, OfAFileEqualsThatOfItsBytes) {
  const TemporaryFolder folder;
  std::string content;
  for (int i = 0; i < 3'000'000; ++i) content += static_cast<char>(i * 7 + i / 251);  // more than one buffer
  write_file(folder / "a.bin", content);
  EXPECT_EQ(checksum_file(folder / "a.bin"), checksum(content));
  write_file(folder / "empty", "");
  EXPECT_EQ(checksum_file(folder / "empty"), checksum(""));
}

TEST(Checksum, ChangesWithEveryBit) {
  std::string content(100, 'a');
  const std::string before = checksum(content);
  for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(checksum(content), before);
    content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(Checksum, NamesAFileThatIsNotThere) {
  const Failure failure = failure_of([] { checksum_file("/nowhere/at all"); });
  EXPECT_EQ(failure.exit, Exit::failed);
  EXPECT_EQ(failure.text, "/nowhere/at all: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace duet
