#include "retrieval/picture_root.h"

#include <gtest/gtest.h>

#include "../support/temporary_folder.h"
#include "core/files.h"

namespace duet {
namespace {

std::vector<Item> items_at(std::initializer_list<std::string> paths) {
  std::vector<Item> items;
  for (const std::string& path : paths)
    items.push_back({.path = path, .captions = {}, .concept_key = {}, .columns = {}});
  return items;
}

TEST(PictureRoot, StaysWhenAllPicturesLieBelowIt) {
  std::vector<Item> items = items_at({"a.png", "b/./c.png", "/data/pics/d e/ä.png"});
  EXPECT_EQ(gather_pictures("/data/pics/", items), "/data/pics");
  EXPECT_EQ(items[0].path, "a.png");
  EXPECT_EQ(items[1].path, "b/c.png");
  EXPECT_EQ(items[2].path, "d e/ä.png");
}

TEST(PictureRoot, WidensToWhatPicturesElsewhereShare) {
  std::vector<Item> items = items_at({"a.png", "../other/b.png", "/data/third/c.png"});
  EXPECT_EQ(gather_pictures("/data/pics", items), "/data");
  EXPECT_EQ(items[0].path, "pics/a.png");
  EXPECT_EQ(items[1].path, "other/b.png");
  EXPECT_EQ(items[2].path, "third/c.png");
  items = items_at({"a.png", "/pics/b.png"});
  EXPECT_EQ(gather_pictures("/data", items), "/");
  EXPECT_EQ(items[0].path, "data/a.png");
  EXPECT_EQ(items[1].path, "pics/b.png");
}

TEST(PictureRoot, ANameThatOnlyBeginsAlikeIsAnotherFolder) {
  std::vector<Item> items = items_at({"/data/pics2/a.png"});
  EXPECT_EQ(gather_pictures("/data/pics", items), "/data");
  EXPECT_EQ(items[0].path, "pics2/a.png");
}

TEST(PictureRoot, RelativeRootsStartAtTheWorkingFolder) {
  std::vector<Item> items = items_at({"a.png"});
  EXPECT_EQ(gather_pictures("some/../pics", items), fs::current_path() / "pics");
  EXPECT_EQ(gather_pictures("", items), fs::current_path());
}

TEST(PictureRoot, IsNotRelativeWhenNothingIsShared) {
  CatalogFacts facts;
  store_root("/nowhere/bundle", "/elsewhere/pictures", facts);
  EXPECT_EQ(facts.relative_root, "");
  EXPECT_EQ(facts.absolute_root, "/elsewhere/pictures");
  store_root("/nowhere/bundle", "/nowhere/pictures", facts);
  EXPECT_EQ(facts.relative_root, "../pictures");
}

TEST(PictureRoot, IsWhereTheFirstPictureIsFound) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bundle");
  fs::create_directories(folder / "far/pictures");
  write_file(folder / "far/pictures/a.png", "");
  CatalogFacts facts{
      .columns = {}, .relative_root = "../pictures", .absolute_root = (folder / "far/pictures").string()};
  EXPECT_EQ(find_root(folder / "bundle", facts, "a.png"), folder / "far/pictures");
  fs::create_directories(folder / "pictures");  // a folder of that name, but not with these pictures
  EXPECT_EQ(find_root(folder / "bundle", facts, "a.png"), folder / "far/pictures");
  EXPECT_EQ(find_root(folder / "bundle", facts, "gone.png"), fs::canonical(folder / "pictures"));
  write_file(folder / "pictures/a.png", "");
  EXPECT_EQ(find_root(folder / "bundle", facts, "a.png"), fs::canonical(folder / "pictures"));
  facts = {.columns = {}, .relative_root = "../none", .absolute_root = "/never/there"};
  EXPECT_EQ(find_root(folder / "bundle", facts, "a.png"), "/never/there");
}

}  // namespace
}  // namespace duet
