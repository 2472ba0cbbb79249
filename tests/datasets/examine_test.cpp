#include <gmock/gmock.h>

#include "datasets/source.h"
#include "scratch.h"
#include "tests/support/quiet.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Pair;
using testing::Scratch;
using testing::test_image;

TEST(Examine, FindsWhatIsWrong) {
  const Scratch scratch;
  scratch.write("a.png", png_bytes(test_image(8, 6)));
  scratch.write("b.png", png_bytes(test_image(8, 6)));
  scratch.write("c.jpg", jpeg_bytes(test_image(20, 10), 90));
  const std::string jpeg = jpeg_bytes(test_image(20, 10), 90);
  scratch.write("cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  scratch.write("zero.jpg", "");
  std::filesystem::create_directories(scratch.folder() / "folder.png");
  const std::string manifest =
      scratch
          .write("photos.csv",
                 "filepath,caption,concept\na.png,one,k\nb.png,one,k\nc.jpg,,l\n"
                 "cut.jpg,a very long caption,\nzero.jpg,two,\nfolder.png,three,\nnone.png,four,\n"
                 "a.png,five,k\n")
          .string();
  const Quiet quiet;
  for (const int threads : {1, 3}) {
    const SourceReport report = examine(read_source({.data = manifest}, false), 10, threads);
    EXPECT_EQ(report.rows, 8);
    EXPECT_EQ(report.pictures, 7);
    EXPECT_EQ(report.captions, 8);
    EXPECT_EQ(report.concepts, 2);
    EXPECT_EQ(report.empty_captions, 1);
    EXPECT_EQ(report.duplicate_captions, 1);
    EXPECT_EQ(report.long_captions, 1);
    EXPECT_THAT(report.unreadable, ElementsAre(EndsWith("photos.csv:5: cut.jpg: truncated JPEG"),
                                               EndsWith("photos.csv:6: zero.jpg: empty file"),
                                               EndsWith("photos.csv:7: folder.png: is a directory")));
    EXPECT_THAT(report.missing, ElementsAre(EndsWith("photos.csv:8: none.png: no such file")));
    EXPECT_THAT(report.duplicate_pictures, ElementsAre("a.png = b.png"));
    EXPECT_THAT(report.sizes, ElementsAre(Pair("20x10", 1), Pair("8x6", 2)));
  }
}

TEST(Examine, DrawnPictures) {
  const Quiet quiet;
  const SourceReport report = examine(read_source({.data = "shapes:12:1"}), 100, 2);
  EXPECT_EQ(report.pictures, 12);
  EXPECT_THAT(report.sizes, ElementsAre(Pair("64x64", 12)));
  EXPECT_TRUE(report.duplicate_pictures.empty());
}

}  // namespace
}  // namespace duet
