#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>

#include "datasets/source.h"
#include "scratch.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::Scratch;

Source read(const Scratch& scratch, SourceOptions options = {}, bool need_captions = true) {
  options.data = scratch.folder().string();
  return read_source(options, need_captions);
}

std::vector<std::string> images(const Source& source) {
  std::vector<std::string> names;
  for (const Pair& pair : source.pairs) names.push_back(pair.image);
  return names;
}

std::vector<std::string> captions(const Source& source) {
  std::vector<std::string> all;
  for (const Pair& pair : source.pairs) all.insert(all.end(), pair.captions.begin(), pair.captions.end());
  return all;
}

TEST(ImageFolder, ListsPicturesSortedAndSkipsTheRest) {
  const Scratch scratch;
  for (const char* name :
       {"b.PNG", "a.jpg", "sub/deeper/c.WebP", ".hidden.png", ".git/d.png", "notes.md", "e.JPEG", "f.heic"})
    scratch.write(name, "x");
  const Source source = read(scratch);
  EXPECT_THAT(images(source), ElementsAre("a.jpg", "b.PNG", "e.JPEG", "sub/deeper/c.WebP"));
  EXPECT_EQ(source.path_of(source.pairs[3]), scratch.folder() / "sub/deeper/c.WebP");
  EXPECT_EQ(source.rows, 4);
}

TEST(ImageFolder, NamesBecomeCaptions) {
  const Scratch scratch;
  for (const char* name : {"red-heart_2.png", "a cat (3).png", "blue.car.01.png", "grün.png", "IMG_1234.png"})
    scratch.write(name, "x");
  EXPECT_THAT(captions(read(scratch)), ElementsAre("IMG_1234", "a cat", "blue car", "grün", "red heart"));
}

TEST(ImageFolder, TextFilesBecomeCaptions) {
  const Scratch scratch;
  scratch.write("x.png", "x");
  scratch.write("x.txt",
                "\xEF\xBB\xBF"
                "a cat\r\n\r\n  asleep on a sofa \n");
  scratch.write("y.jpg", "x");
  scratch.write("y.TXT", "a dog");
  scratch.write("README.txt", "not a caption of any picture");
  const Source source = read(scratch);
  EXPECT_THAT(source.pairs[0].captions, ElementsAre("a cat", "asleep on a sofa"));
  EXPECT_THAT(source.pairs[1].captions, ElementsAre("a dog"));
  EXPECT_TRUE(source.columns.empty());
}

TEST(ImageFolder, FoldersAreClassesAndConcepts) {
  const Scratch scratch;
  for (const char* name : {"red fox/1.jpg", "red fox/winter/DSC0001.jpg", "owl/snowy-owl.jpg"})
    scratch.write(name, "x");
  const Source source = read(scratch);
  EXPECT_THAT(source.columns, ElementsAre("class"));
  EXPECT_THAT(images(source), ElementsAre("owl/snowy-owl.jpg", "red fox/1.jpg", "red fox/winter/DSC0001.jpg"));
  EXPECT_THAT(source.pairs[2].columns, ElementsAre("red fox"));
  EXPECT_EQ(source.pairs[0].concept_key, "owl");
  EXPECT_EQ(source.concept_id(1), source.concept_id(2));
  // A name that says nothing gives way to the class.
  EXPECT_THAT(captions(source), ElementsAre("snowy owl", "red fox", "red fox"));
  EXPECT_EQ(read(scratch, {.concept_column = ""}).pairs[0].concept_key, "");
}

TEST(ImageFolder, WrittenCaptionsAreWorthMoreThanTheFolder) {
  const Scratch scratch;
  scratch.write("2024/a.jpg", "x");
  scratch.write("2024/a.txt", "a bicycle at the lake");
  EXPECT_EQ(read(scratch).pairs[0].concept_key, "");
  EXPECT_THAT(read(scratch).pairs[0].columns, ElementsAre("2024"));
  EXPECT_EQ(read(scratch, {.concept_column = "class"}).pairs[0].concept_key, "2024");
}

TEST(ImageFolder, LinksToTheFolderItselfEnd) {
  const Scratch scratch;
  scratch.write("a.jpg", "x");
  std::filesystem::create_directory_symlink(scratch.folder(), scratch.folder() / "again");
  EXPECT_THAT(images(read(scratch)), ElementsAre("a.jpg"));
}

// Where the tests run as root, which may list everything, someone else looks.
class WithoutRights {
 public:
  explicit WithoutRights(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::permissions(folder_, std::filesystem::perms::none);
    if (::geteuid() == 0) is_root_ = ::seteuid(65534) == 0;
  }
  ~WithoutRights() {
    if (is_root_ && ::seteuid(0) != 0) std::abort();
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }

 private:
  std::filesystem::path folder_;
  bool is_root_ = false;
};

TEST(ImageFolder, FolderThatCannotBeListedIsLeftOutUnlessItIsTheRoot) {
  const Scratch scratch;
  for (const char* name : {"a.jpg", "locked/b.jpg", "open/c.jpg"}) scratch.write(name, "x");
  {
    const WithoutRights locked(scratch.folder() / "locked");
    std::error_code error;
    if (!std::filesystem::exists(scratch.folder() / "a.jpg", error))
      GTEST_SKIP() << "others may not look into the temporary folder";
    ::testing::internal::CaptureStderr();
    const Source source = read(scratch);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(images(source), ElementsAre("a.jpg", "open/c.jpg"));
    EXPECT_THAT(said, AllOf(HasSubstr("1 folder is left out:"), HasSubstr("locked: Permission denied")));
    ::testing::internal::CaptureStderr();
    read_source({.data = scratch.folder().string(), .aloud = false});
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  }
  EXPECT_EQ(images(read(scratch)).size(), 3u);
  const WithoutRights locked(scratch.folder());
  EXPECT_THAT(error_of([&] { read(scratch); }), HasSubstr("cannot be listed: Permission denied"));
}

TEST(ImageFolder, CaptionFileThatIsNoTextCostsItsCaptionsWhereNoneAreNeeded) {
  const Scratch scratch;
  for (const char* name : {"a.jpg", "b.jpg"}) scratch.write(name, "x");
  scratch.write("a.txt", "a\ncaf\xE9\n");
  scratch.write("b.txt", "a boat");
  ::testing::internal::CaptureStderr();
  const Source source = read(scratch, {}, false);
  const std::string said = ::testing::internal::GetCapturedStderr();
  ASSERT_EQ(source.pairs.size(), 2u);
  EXPECT_TRUE(source.pairs[0].captions.empty());
  EXPECT_THAT(source.pairs[1].captions, ElementsAre("a boat"));
  EXPECT_THAT(said, AllOf(HasSubstr("1 caption file cannot be read:"), HasSubstr("a.txt:2:4: byte 0xE9")));
}

TEST(ImageFolder, NamesThatAreNoUtf8AreLeftOut) {
  const Scratch scratch;
  scratch.write("a.jpg", "x");
  scratch.write("caf\xE9/b.jpg", "x");
  scratch.write("\xFF.jpg", "x");
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(images(read(scratch)), ElementsAre("a.jpg"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("2 files or folders are left out"));
}

TEST(ImageFolder, WhatIsRefused) {
  const Scratch empty;
  EXPECT_THAT(error_of([&] { read(empty); }),
              AllOf(HasSubstr("no pictures in this folder"), HasSubstr(".jpg")));
  EXPECT_THAT(error_of([] { read_source({.data = "/none", .format = "image_folder"}); }),
              HasSubstr("/none: no such folder"));
  const Scratch bad;
  bad.write("a.jpg", "x");
  bad.write("a.txt", "a\ncaf\xE9\n");
  EXPECT_THAT(error_of([&] { read(bad); }), HasSubstr("a.txt:2:4: byte 0xE9 is no UTF-8"));
  const Scratch blank;
  blank.write("a.jpg", "x");
  blank.write("a.txt", "\n");
  EXPECT_THAT(error_of([&] { read(blank); }), HasSubstr("'a.jpg' has no caption"));
  EXPECT_EQ(read(blank, {}, false).pairs.size(), 1u);
}

}  // namespace
}  // namespace duet
