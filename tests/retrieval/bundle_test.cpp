#include "retrieval/bundle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "../support/temporary_folder.h"
#include "core/files.h"
#include "core/format.h"
#include "vectors.h"

namespace duet {
namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Bundle, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const SmallBundle small = small_bundle(folder.path(), 40, 16);
  write_bundle(folder / "index", small.content, {});
  const Bundle bundle = Bundle::open(folder / "index", true);
  EXPECT_EQ(bundle.size(), 40);
  EXPECT_EQ(bundle.dimension(), 16);
  EXPECT_EQ(bundle.factory(), "Flat");
  EXPECT_EQ(bundle.model_identity(), "a-model");
  EXPECT_EQ(bundle.columns(), (std::vector<std::string>{"number", "größe"}));
  EXPECT_EQ(read_file(bundle.model_folder() / "tower/weights"), "12345678");
  EXPECT_EQ(bundle.picture_root(), fs::canonical(folder / "pictures"));
  for (std::int64_t row = 0; row < 40; ++row) {
    EXPECT_TRUE(std::equal(bundle.row(row).begin(), bundle.row(row).end(), small.rows.begin() + row * 16));
    EXPECT_EQ(bundle.item(row).captions, small.content.items[static_cast<std::size_t>(row)].captions);
  }
  expect_error([&] { bundle.item(40); }, 2, {"row 40", "0 to 39"});
  expect_error([&] { bundle.row(-1); }, 2, {"row -1"});
}

TEST(Bundle, FlatIsBruteForce) {
  const TemporaryFolder folder;
  SmallBundle small = small_bundle(folder.path(), 600, 12);
  small.rows = whole_vectors(600, 12, 7);  // ties abound
  small.content.rows = small.rows;
  write_bundle(folder / "index", small.content, {.factory = "Flat"});
  const Bundle bundle = Bundle::open(folder / "index");
  const std::vector<float> queries = whole_vectors(50, 12, 8);
  for (std::size_t q = 0; q < 50; ++q) {
    const std::span<const float> query(queries.data() + q * 12, 12);
    const std::vector<Hit> hits = bundle.search(query, 20);
    std::vector<std::int64_t> rows;
    for (const Hit& hit : hits) rows.push_back(hit.row);
    EXPECT_EQ(rows, brute_force(small.rows, query, 20));
  }
}

TEST(Bundle, CandidatesGiveExactScoresInOrder) {
  const TemporaryFolder folder;
  SmallBundle small = small_bundle(folder.path(), 4'000, 24);
  for (const std::string factory : {"HNSW16", "HNSW16,SQ8", "IVF16,Flat", "IVF16,SQ8"}) {
    write_bundle(folder / "index", small.content, {.factory = factory});
    const Bundle bundle = Bundle::open(folder / "index");
    EXPECT_EQ(bundle.factory(), factory);
    double recall = 0;
    for (std::int64_t q = 0; q < 50; ++q) {
      const auto hits = bundle.search(bundle.row(q), 10), exact = bundle.search_exact(bundle.row(q), 10);
      ASSERT_EQ(hits.size(), 10U) << factory;
      EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(), comes_before));
      for (const Hit& hit : hits) {
        EXPECT_EQ(hit.score, inner_product(bundle.row(q).data(), bundle.row(hit.row).data(), 24));
        recall +=
            std::any_of(exact.begin(), exact.end(), [&](const Hit& right) { return right.row == hit.row; }) /
            500.;
      }
    }
    EXPECT_GE(recall, .9) << factory;
    // More than candidates are asked for, or than there are: the rows themselves answer.
    EXPECT_EQ(bundle.search(bundle.row(0), 1'500).size(), 1'500U);
    EXPECT_EQ(bundle.search(bundle.row(0), 9'999).size(), 4'000U);
  }
}

TEST(Bundle, QueriesAreChecked) {
  const TemporaryFolder folder;
  write_bundle(folder / "index", small_bundle(folder.path(), 5, 8).content, {});
  const Bundle bundle = Bundle::open(folder / "index");
  EXPECT_EQ(bundle.search(bundle.row(0), 10).size(), 5U);
  EXPECT_EQ(bundle.search(bundle.row(0), std::numeric_limits<std::int64_t>::max()).size(), 5U);
  std::vector<float> query(7, 1);
  expect_error([&] { bundle.search(query, 1); }, 2, {"7 numbers", "have 8", "same model"});
  expect_error([&] { bundle.search_exact(query, 1); }, 2, {"7 numbers"});
  query.assign(8, std::numeric_limits<float>::quiet_NaN());
  expect_error([&] { bundle.search(query, 1); }, 2, {"not finite"});
  expect_error([&] { bundle.search(bundle.row(0), 0); }, 2, {"k", "at least 1"});
}

TEST(Bundle, ContentIsChecked) {
  const TemporaryFolder folder;
  SmallBundle small = small_bundle(folder.path(), 5, 8);
  const auto writing = [&](const BundleContent& content, const std::string& factory = "") {
    return [&, content, factory] { write_bundle(folder / "index", content, {.factory = factory}); };
  };
  expect_error(writing(small.content, "IVF4,Flat"), 2, {"IVF4,Flat", "5 rows", "take Flat"});
  expect_error(writing(small.content, "IDMap,Flat"), 2, {"IDMap,Flat", "allowed: Flat"});
  BundleContent other = small.content;
  other.items.pop_back();
  expect_error(writing(other), 3, {"40 numbers", "4 pictures"});
  other.items.clear();
  expect_error(writing(other), 3, {"no pictures"});
  other = small.content;
  other.model_folder = folder / "none";
  expect_error(writing(other), 4, {"none", "no folder with a model"});
  other = small.content;
  other.columns.pop_back();
  expect_error(writing(other), 3, {"cats/cat 0.png", "2 column values"});
  small.rows[3 * 8] = std::numeric_limits<float>::infinity();
  expect_error(writing(small.content), 1, {"cats/cat 3.png", "not finite"});
  expect_error([&] { Bundle::open(folder / "index"); }, 4, {"no bundle"});
  if (fs::exists(folder / "index")) {  // nothing half done stays
    EXPECT_EQ(names_in(folder / "index"), std::vector<std::string>{});
  }
}

TEST(Bundle, SameContentHasTheSameIdentity) {
  const TemporaryFolder folder;
  const SmallBundle small = small_bundle(folder.path(), 300, 16);
  write_bundle(folder / "index", small.content, {.factory = "HNSW8"});
  write_bundle(folder / "index", small.content, {.factory = "HNSW8"});
  EXPECT_TRUE(read_file(folder / "index/gen-1/manifest.json") ==
              read_file(folder / "index/gen-2/manifest.json"));
}

TEST(Bundle, MissingAndForeignFoldersAreRefused) {
  const TemporaryFolder folder;
  expect_error([&] { Bundle::open(folder / "none"); }, 4, {"none", "no bundle", "duet index"});
  expect_error([&] { Bundle::open(folder.path()); }, 4, {"CURRENT"});
  write_bundle(folder / "index", small_bundle(folder.path(), 5, 8).content, {});
  for (const std::string text :
       {"", "gen-1", "gen-1\n", "gen-01 x\n", "gen-9 x\n", "gen-1 x\n", "../gen-1 x\n"}) {
    replace_file(folder / "index/CURRENT", text);
    expect_error([&] { Bundle::open(folder / "index"); }, 4, {"index"});
  }
  write_bundle(folder / "index", small_bundle(folder.path(), 5, 8).content,
               {});  // a damaged one can be made again
  EXPECT_EQ(Bundle::open(folder / "index").size(), 5);
}

TEST(Bundle, TwoGenerationsStay) {
  const TemporaryFolder folder;
  for (std::int64_t count = 5; count < 10; ++count) {
    write_bundle(folder / "index", small_bundle(folder.path(), count, 8).content, {});
    EXPECT_EQ(Bundle::open(folder / "index").size(), count);
  }
  EXPECT_EQ(names_in(folder / "index"), (std::vector<std::string>{".lock", "CURRENT", "gen-4", "gen-5"}));
}

TEST(Bundle, LeftoversOfACrashGoAway) {
  const TemporaryFolder folder;
  write_bundle(folder / "index", small_bundle(folder.path(), 5, 8).content, {});
  fs::create_directory(folder / "index/.gen-2.tmp-999999999");
  fs::create_directory(folder / "index/gen-2");  // published, but the crash came before CURRENT
  write_bundle(folder / "index", small_bundle(folder.path(), 6, 8).content, {});
  EXPECT_EQ(Bundle::open(folder / "index").size(), 6);
  EXPECT_EQ(names_in(folder / "index"), (std::vector<std::string>{".lock", "CURRENT", "gen-1", "gen-3"}));
}

TEST(Bundle, AnOpenOneStaysWholeWhenItsGenerationIsRemoved) {
  const TemporaryFolder folder;
  const SmallBundle small = small_bundle(folder.path(), 4'000, 8, 1);
  for (const std::string factory : {"Flat", "HNSW8", "IVF16,Flat"}) {
    write_bundle(folder / "index", small.content, {.factory = factory});
    const Bundle bundle = Bundle::open(folder / "index");
    const auto before = bundle.search(bundle.row(3), 5);
    for (int i = 0; i < 3; ++i)
      write_bundle(folder / "index", small_bundle(folder.path(), 5, 8, 2).content, {});
    EXPECT_FALSE(fs::exists(bundle.model_folder()));
    const auto after = bundle.search(bundle.row(3), 5);
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].row, before[i].row);
    EXPECT_EQ(bundle.item(3'999).path, "cats/cat 3999.png");
  }
}

TEST(Bundle, ReadersGoOnWhileAWriterPublishes) {
  const TemporaryFolder folder;
  write_bundle(folder / "index", small_bundle(folder.path(), 10, 8).content, {});
  std::vector<SmallBundle> versions;
  for (std::int64_t count = 10; count < 30; ++count) versions.push_back(small_bundle(folder.path(), count, 8));
  std::atomic<bool> done = false;
  std::atomic<std::int64_t> opened = 0, wrong = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      std::int64_t last = 0;
      while (!done || opened < 20) {
        const Bundle bundle = Bundle::open(folder / "index", true);
        wrong += bundle.size() < last ||
                 bundle.search(bundle.row(bundle.size() - 1), 1).front().row != bundle.size() - 1;
        wrong += bundle.item(bundle.size() - 1).path != cat("cats/cat ", bundle.size() - 1, ".png");
        last = bundle.size();
        ++opened;
      }
    });
  }
  for (const SmallBundle& version : versions) {
    BundleContent content = version.content;
    content.rows = version.rows;
    write_bundle(folder / "index", content, {});
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Bundle::open(folder / "index").size(), 29);
}

TEST(Bundle, OneWriterAtATime) {
  const TemporaryFolder folder;
  const SmallBundle small = small_bundle(folder.path(), 5, 8);
  write_bundle(folder / "index", small.content, {});
  {
    const FileLock lock(folder / "index/.lock");
    expect_error([&] { write_bundle(folder / "index", small.content, {}); }, 1, {"index", "in use by process"});
    EXPECT_EQ(Bundle::open(folder / "index").size(), 5);
  }
  write_bundle(folder / "index", small.content, {});
  EXPECT_TRUE(fs::exists(folder / "index/gen-2"));
}

TEST(Bundle, FindsItsPicturesAfterMoves) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "home");
  write_bundle(folder / "home/index", small_bundle(folder / "home", 5, 8).content, {});
  const auto root = [](const fs::path& bundle) { return Bundle::open(bundle, true).picture_root(); };
  EXPECT_EQ(root(folder / "home/index"), fs::canonical(folder / "home/pictures"));
  fs::rename(folder / "home/index", folder / "moved alone");
  EXPECT_EQ(root(folder / "moved alone"), folder / "home/pictures");
  fs::rename(folder / "moved alone", folder / "home/index");
  fs::rename(folder / "home", folder / "größe 2");
  EXPECT_EQ(root(folder / "größe 2/index"), fs::canonical(folder / "größe 2/pictures"));
  fs::create_directory_symlink(folder / "größe 2/index", folder / "link");
  EXPECT_EQ(root(folder / "link"), fs::canonical(folder / "größe 2/pictures"));
  const Bundle bundle = Bundle::open(folder / "link");
  EXPECT_TRUE(fs::exists(bundle.picture_root() / bundle.item(0).path));
}

TEST(Bundle, ARootGivenOverridesTheStoredOne) {
  const TemporaryFolder folder;
  write_bundle(folder / "index", small_bundle(folder.path(), 5, 8).content, {});
  fs::create_directory(folder / "other");
  EXPECT_EQ(Bundle::open(folder / "index", false, folder / "other").picture_root(), folder / "other");
  expect_error([&] { Bundle::open(folder / "index", false, folder / "none"); }, 2, {"none", "is no folder"});
}

// golden/bundle-v1 was written by the first version of the format (120 rows of 8 numbers, HNSW4) and is never
// written again: whatever a later version writes, it goes on reading this.
TEST(Bundle, OfVersion1LoadsForEver) {
  const Bundle bundle = Bundle::open(fs::path(DUET_RETRIEVAL_GOLDEN) / "bundle-v1", true);
  EXPECT_EQ(bundle.size(), 120);
  EXPECT_EQ(bundle.dimension(), 8);
  EXPECT_EQ(bundle.factory(), "HNSW4");
  EXPECT_EQ(bundle.model_identity(), "a-model");
  EXPECT_EQ(bundle.picture_root(), "/pictures");
  EXPECT_EQ(bundle.columns(), (std::vector<std::string>{"number", "größe"}));
  EXPECT_EQ(read_file(bundle.model_folder() / "text.toml"), "kind = 'bag'\n");
  for (std::int64_t row = 0; row < 120; ++row) {
    const Item item = bundle.item(row);
    EXPECT_EQ(item.path, cat("cats/cat ", row, ".png"));
    EXPECT_EQ(item.captions, (std::vector<std::string>{cat("Katze Nr. ", row, ", größer"), "猫"}));
    EXPECT_EQ(item.concept_key, cat("cat", row % 3));
    EXPECT_EQ(item.columns, (std::vector<std::string>{cat(row), "a\tb"}));
    EXPECT_EQ(bundle.search(bundle.row(row), 1).front().row, row);
    EXPECT_NEAR(bundle.search(bundle.row(row), 1).front().score, 1, 1e-5);
  }
}

}  // namespace
}  // namespace duet
