#include "retrieval/catalog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "../support/temporary_folder.h"
#include "core/files.h"
#include "core/format.h"
#include "vectors.h"

namespace duet {
namespace {

std::vector<Item> awkward_items() {
  return {{.path = "a b/größe #1?.png",
           .captions = {"it's \"quoted\"", "", "二\n三"},
           .concept_key = "k'1",
           .columns = {"", "x;y"}},
          {.path = "Latin-1: \xe4.png",
           .captions = {},
           .concept_key = "",
           .columns = {"🙂", "'; DROP TABLE item; --"}}};
}

TEST(Catalog, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  write_catalog(folder / "catalog #1?.sqlite", awkward_items(),
                {.columns = {"one", "größe"}, .relative_root = "../p", .absolute_root = "/x/\xff"});
  const Catalog catalog(folder / "catalog #1?.sqlite");
  EXPECT_EQ(catalog.count(), 2);
  EXPECT_EQ(catalog.facts().columns, (std::vector<std::string>{"one", "größe"}));
  EXPECT_EQ(catalog.facts().relative_root, "../p");
  EXPECT_EQ(catalog.facts().absolute_root, "/x/\xff");
  const std::vector<Item> items = awkward_items();
  for (std::int64_t row = 0; row < 2; ++row) {
    const Item read = catalog.item(row), &item = items[static_cast<std::size_t>(row)];
    EXPECT_EQ(read.path, item.path);
    EXPECT_EQ(read.captions, item.captions);
    EXPECT_EQ(read.concept_key, item.concept_key);
    EXPECT_EQ(read.columns, item.columns);
  }
  expect_error([&] { catalog.item(2); }, 4, {"catalog #1?.sqlite", "row 2"});
}

TEST(Catalog, SameItemsGiveTheSameBytesAndNoDraftStays) {
  const TemporaryFolder folder;
  write_catalog(folder / "a", awkward_items(),
                {.columns = {"one", "two"}, .relative_root = {}, .absolute_root = {}});
  write_catalog(folder / "b", awkward_items(),
                {.columns = {"one", "two"}, .relative_root = {}, .absolute_root = {}});
  EXPECT_TRUE(read_file(folder / "a") == read_file(folder / "b"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
}

TEST(Catalog, RefusesTextThatIsNotUtf8AndMissingColumns) {
  const TemporaryFolder folder;
  const std::vector<Item> bytes = {{.path = "a.png", .captions = {"\xff"}, .concept_key = {}, .columns = {}}};
  expect_error([&] { write_catalog(folder / "c", bytes, {}); }, 3, {"a.png", "UTF-8"});
  expect_error([&] { write_catalog(folder / "d", awkward_items(), {}); }, 3,
               {"größe #1", "2 column values", "0"});
}

TEST(Catalog, RefusesWhatIsNoCatalog) {
  const TemporaryFolder folder;
  expect_error([&] { Catalog(folder / "none"); }, 4, {"none"});
  write_file(folder / "text", std::string(5000, 'x'));
  expect_error([&] { Catalog(folder / "text"); }, 4, {"text", "damaged"});
  write_file(folder / "empty", "");
  expect_error([&] { Catalog(folder / "empty"); }, 4, {"empty", "damaged"});
}

TEST(Catalog, ThreadsMayAskAtTheSameTime) {
  const TemporaryFolder folder;
  std::vector<Item> items;
  for (int row = 0; row < 300; ++row)
    items.push_back({.path = cat(row), .captions = {cat("c", row)}, .concept_key = {}, .columns = {}});
  write_catalog(folder / "c", items, {});
  const Catalog catalog(folder / "c");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const int row = (i * 7 + t * 31) % 300;
        const Item item = catalog.item(row);
        wrong += item.path != cat(row) || item.captions != std::vector<std::string>{cat("c", row)};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace duet
