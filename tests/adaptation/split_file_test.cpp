// The file of splits: read back for any order of the items, refused where it or they were changed.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "adaptation/split.h"
#include "core/checksum.h"
#include "core/files.h"
#include "core/format.h"
#include "tests/adaptation/split_items.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SplitsFile : public ::testing::Test {
 protected:
  SplitsFile() : items_(irregular(2)), pool_(make_pool(items_, 0.25)) {
    splits_ = {pool_, make_splits(items_, pool_, {1, 4}, 3)};
    write_splits(file_, items_, items_, splits_);
  }
  std::string refused(const Labelled& items, Exit exit) {
    const Failure failure = failure_of([&] { read_splits(file_, items, items); });
    EXPECT_EQ(failure.exit, exit) << failure.text;
    return failure.text;
  }
  void change(const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json content = nlohmann::json::parse(read_file(file_));
    edit(content);
    std::ofstream(file_) << content.dump() << "\n";
  }

  TemporaryFolder folder_;
  fs::path file_ = folder_ / "splits.json";
  Labelled items_;
  FewShotPool pool_;
  FewShotSplits splits_;
};

TEST_F(SplitsFile, IsReadBack) {
  const FewShotSplits read = read_splits(file_, items_, items_);
  EXPECT_EQ(read.pool.rows, pool_.rows);
  EXPECT_EQ(read.pool.test, pool_.test);
  ASSERT_EQ(read.splits.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read.splits[i].shots, splits_.splits[i].shots);
    EXPECT_EQ(read.splits[i].seed, splits_.splits[i].seed);
    EXPECT_EQ(read.splits[i].support, splits_.splits[i].support);
    EXPECT_EQ(read.splits[i].validation, splits_.splits[i].validation);
  }
}

TEST_F(SplitsFile, HoldsForAnyOrderOfTheManifest) {
  const auto expected = parts(items_, pool_, splits_.splits);
  const std::string content = read_file(file_);
  for (std::uint64_t seed = 1; seed < 4; ++seed) {
    const Labelled other = shuffled(items_, seed);
    const FewShotSplits read = read_splits(file_, other, other);
    EXPECT_EQ(parts(other, read.pool, read.splits), expected);
    write_splits(file_, other, other, read);
    EXPECT_EQ(read_file(file_), content);
  }
}

TEST_F(SplitsFile, WithTestDataOfItsOwn) {
  // In the test data the same picture may stand twice.
  const Labelled test =
      labelled({{0, "t", "same"}, {1, "u", "other"}, {0, "t", "same"}, {2, "v", ""}}, 5, "test.csv");
  const FewShotPool pool = make_pool(items_, test, false);
  write_splits(file_, items_, test, {pool, make_splits(items_, pool, {2}, 1)});
  EXPECT_THAT(read_splits(file_, items_, test).pool.test, ElementsAre(0, 1, 2));
  EXPECT_THAT(refused(items_, Exit::data), HasSubstr("3 of 3 items of"));
}

TEST_F(SplitsFile, NoChangedByteIsUsed) {
  const std::string content = read_file(file_);
  for (std::size_t at = 0; at + 1 < content.size(); at += 1 + content.size() / 200) {
    std::string changed = content;
    changed[at] = changed[at] == '1' ? '2' : '1';
    std::ofstream(file_) << changed;
    refused(items_, Exit::artifact);
    std::ofstream(file_) << content.substr(0, at);
    refused(items_, Exit::artifact);
  }
  std::ofstream(file_) << content;
  change([](nlohmann::json& splits) { splits["splits"][0]["support"][0] = 7; });
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("splits.json: was changed since it was written"));
  std::ofstream(file_) << "{\"format\": \"else\"}";
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("is no file of few-shot splits"));
  std::ofstream(file_) << content;
  change([](nlohmann::json& splits) { splits["version"] = 2; });
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("was written by a newer duet (version 2)"));
  // Even with a checksum that fits.
  std::ofstream(file_) << content;
  const auto sealed = [&](const std::function<void(nlohmann::json&)>& edit) {
    std::ofstream(file_) << content;
    change([&](nlohmann::json& splits) {
      edit(splits);
      splits.erase("checksum");
      splits["checksum"] = checksum(splits.dump());
    });
  };
  sealed([](nlohmann::json& splits) { splits["splits"][0]["support"][0] = 100'000; });
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("names items that it does not list"));
  sealed([](nlohmann::json& splits) { splits["splits"][0].erase("support"); });
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("is damaged"));
  sealed([](nlohmann::json& splits) { splits["test"][0] = splits["items"]["contents"][0]; });
  EXPECT_THAT(refused(items_, Exit::artifact), HasSubstr("both drawn from and asked"));
}

TEST_F(SplitsFile, OtherDataIsRefused) {
  Labelled other = items_;
  const auto row = static_cast<std::size_t>(splits_.splits[0].support[0]);
  other.contents[row] = "other";
  EXPECT_THAT(refused(other, Exit::data), HasSubstr(cat("1 of ", pool_.rows.size(), " items of")));
  other = items_;
  for (std::size_t i = 0; i < other.labels.size(); ++i)
    if (other.contents[i] == items_.contents[row]) other.labels[i] = {(items_.labels[row].front() + 1) % 5};
  EXPECT_THAT(refused(other, Exit::data), AllOf(HasSubstr("its label is 'class"), HasSubstr("but was 'class")));
  other = items_;
  for (std::size_t i = 0; i < other.groups.size(); ++i)
    if (other.contents[i] == items_.contents[row]) other.groups[i] = "else";
  EXPECT_THAT(refused(other, Exit::data), HasSubstr("its concept is 'else', but was 'k"));
  other = items_;
  other.classes[0] = "renamed";
  EXPECT_THAT(refused(other, Exit::data),
              AllOf(HasSubstr("has other classes than"), HasSubstr("--leave-out-small")));
  // Items that came later take no part.
  other = items_;
  other.source.pairs.push_back({.image = "new"});
  other.labels.push_back({0});
  other.groups.push_back("new");
  other.contents.push_back("new");
  EXPECT_EQ(read_splits(file_, other, other).pool.rows, pool_.rows);
}

}  // namespace
}  // namespace duet
