#include "adaptation/split.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "core/format.h"
#include "core/random.h"
#include "tests/adaptation/split_items.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Classes of `concepts` concepts with `pictures` pictures each.
Labelled regular(std::int64_t classes, int concepts, int pictures, const std::string& prefix = "") {
  std::vector<Item> items;
  for (std::int64_t label = 0; label < classes; ++label)
    for (int k = 0; k < concepts; ++k)
      for (int i = 0; i < pictures; ++i)
        items.push_back({label, cat(prefix, label, ".", k), cat(prefix, label, ".", k, ".", i)});
  return labelled(items, classes);
}

bool disjoint(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::ranges::none_of(a, [&](const std::string& name) { return b.contains(name); });
}

// No picture twice, no concept and no content in two parts, every class with what it is due.
void check(const Labelled& items, const FewShotPool& pool, const FewShotSplit& split, bool concepts = true,
           double share = 0) {
  EXPECT_TRUE(std::ranges::is_sorted(split.support) && std::ranges::is_sorted(split.validation));
  for (const auto& [rows, due] : {std::pair(split.support, split.shots),
                                  std::pair(split.validation, validation_shots(split.shots, share))}) {
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::int64_t row : rows) {
      ++counts[items.labels.at(static_cast<std::size_t>(row)).front()];
      EXPECT_TRUE(std::ranges::binary_search(pool.rows, row));
    }
    EXPECT_EQ(counts.size(), items.classes.size());
    for (const auto& [label, count] : counts) EXPECT_EQ(count, due) << label;
    EXPECT_EQ(named(items.contents, rows).size(), rows.size());
  }
  for (const auto& [a, b] : {std::pair(split.support, split.validation), std::pair(split.support, pool.test),
                             std::pair(split.validation, pool.test)}) {
    EXPECT_TRUE(disjoint(named(items.contents, a), named(items.contents, b)));
    if (concepts) {
      EXPECT_TRUE(disjoint(named(items.groups, a), named(items.groups, b)));
    }
  }
}

TEST(FewShotSplits, AreDisjointForAllSeedsAndShots) {
  for (std::uint64_t data = 0; data < 8; ++data) {
    const Labelled items = irregular(data);
    const FewShotPool pool = make_pool(items, 0.25);
    const std::vector<FewShotSplit> splits = make_splits(items, pool, {1, 2, 4, 8}, 25);
    ASSERT_EQ(splits.size(), 100u);
    for (const FewShotSplit& split : splits) check(items, pool, split);
  }
}

TEST(FewShotSplits, AreNested) {
  const Labelled items = irregular(3);
  const std::vector<FewShotSplit> splits = make_splits(items, make_pool(items, 0.2), {1, 2, 4, 8}, 6);
  for (std::size_t i = 0; i < splits.size(); ++i) {
    EXPECT_EQ(splits[i].seed, i / 4 + 1);
    EXPECT_EQ(splits[i].shots, 1 << (i % 4));
    if (i % 4 == 0) continue;
    EXPECT_TRUE(std::ranges::includes(splits[i].support, splits[i - 1].support));
    EXPECT_TRUE(std::ranges::includes(splits[i].validation, splits[i - 1].validation));
  }
  EXPECT_NE(splits[0].support, splits[4].support);  // another seed, another draw
}

TEST(FewShotSplits, ValidationGrowsWithTheShotsWhereAShareIsGiven) {
  EXPECT_EQ(validation_shots(16), 4);
  EXPECT_EQ(validation_shots(16, 0.5), 8);
  EXPECT_EQ(validation_shots(1, 0.1), 1);
  const Labelled items = irregular(3);
  const FewShotPool pool = make_pool(items, 0.2);
  const std::vector<FewShotSplit> splits = make_splits(items, pool, {1, 8, 24}, 6, 0.5);
  ASSERT_EQ(splits.size(), 18u);
  for (std::size_t i = 0; i < splits.size(); ++i) {
    check(items, pool, splits[i], true, 0.5);
    if (i % 3 > 0) {
      EXPECT_TRUE(std::ranges::includes(splits[i].validation, splits[i - 1].validation));
    }
  }
  EXPECT_THAT(failure_of([&] { make_splits(items, pool, {60}, 2, 0.5); }).text,
              HasSubstr("60 shots and 30 for validation are more than 3 classes allow"));
}

TEST(FewShotSplits, ShotsComeFromAsManyConceptsAsThereAre) {
  const Labelled items = regular(3, 10, 4);
  const FewShotPool pool = make_pool(items, 0.1);
  for (const FewShotSplit& split : make_splits(items, pool, {1, 4, 8, 16}, 20)) {
    check(items, pool, split);
    // One concept of ten is the test's, one validation's: eight are left.
    EXPECT_EQ(named(items.groups, split.support).size(),
              3 * static_cast<std::size_t>(std::min<std::int64_t>(8, split.shots)));
    EXPECT_EQ(named(items.groups, split.validation).size(), 3u);
  }
}

TEST(FewShotSplits, ValidationHasItsShareOfTheConcepts) {
  const Labelled items = regular(2, 20, 4);
  FewShotPool pool{.rows = Rows(160), .test = {}};
  std::iota(pool.rows.begin(), pool.rows.end(), 0);
  for (const FewShotSplit& split : make_splits(items, pool, {1, 4}, 10)) {
    check(items, pool, split);
    EXPECT_EQ(named(items.groups, split.validation).size(), split.validation.size());
  }
  // Of five one: the shots need theirs.
  const Labelled few = regular(2, 5, 8);
  pool.rows.resize(80);
  for (const FewShotSplit& split : make_splits(few, pool, {16}, 10)) {
    check(few, pool, split);
    EXPECT_EQ(named(few.groups, split.validation).size(), 2u);
    EXPECT_EQ(named(few.groups, split.support).size(), 8u);
  }
}

TEST(FewShotSplits, AreAFunctionOfTheContentsNotOfTheirOrder) {
  const Labelled items = irregular(5);
  const FewShotPool pool = make_pool(items, 0.25);
  const auto expected = parts(items, pool, make_splits(items, pool, {1, 4}, 5));
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    const Labelled other = shuffled(items, seed);
    const FewShotPool same = make_pool(other, 0.25);
    EXPECT_EQ(parts(other, same, make_splits(other, same, {1, 4}, 5)), expected);
  }
}

TEST(FewShotSplits, ATestPartOfTheSameDataIsWholeConceptsOfEachClass) {
  const Labelled items = regular(4, 12, 5);
  const FewShotPool pool = make_pool(items, 0.25);
  EXPECT_EQ(pool.test.size(), 4u * 15);
  EXPECT_EQ(pool.test.size() + pool.rows.size(), 240u);
  EXPECT_TRUE(disjoint(named(items.groups, pool.test), named(items.groups, pool.rows)));
  // Where the share is smaller than any concept, the smallest is taken.
  const Labelled few = labelled(
      {{0, "a", "1"}, {0, "a", "2"}, {0, "a", "3"}, {0, "b", "4"}, {0, "b", "5"}, {1, "c", "6"}, {1, "d", "7"}},
      2);
  EXPECT_THAT(named(few.groups, make_pool(few, 0.01).test),
              AllOf(::testing::Contains("b"), Not(::testing::Contains("a"))));
  EXPECT_EQ(make_pool(few, 0.01).test.size(), 3u);
}

TEST(FewShotSplits, TheTestPartLeavesSomeOfEachClass) {
  const Labelled items =
      labelled({{0, "a", "1"}, {1, "b", "2"}, {1, "c", "3"}, {2, "d", "4"}, {2, "e", "5"}, {2, "f", "6"}}, 3);
  for (const double share : {0.25, 0.6, 0.99}) {
    const FewShotPool pool = make_pool(items, share);
    std::vector<std::int64_t> left(3);
    for (const std::int64_t row : pool.rows)
      ++left[static_cast<std::size_t>(items.labels[static_cast<std::size_t>(row)].front())];
    EXPECT_THAT(left, ElementsAre(1, 1, share < 0.5 ? 2 : 1)) << share;
    EXPECT_THAT(pool.kept_for_test, ElementsAre(0, 1, share < 0.5 ? 1 : 2)) << share;
  }
  const Failure refused = failure_of([&] { make_splits(items, make_pool(items, 0.99), {1}, 2); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_THAT(refused.text, AllOf(HasSubstr("'class 0' has 1, besides 0 kept for the test"),
                                  HasSubstr("'class 2' has 1, besides 2 kept for the test"),
                                  HasSubstr("a smaller --test-share keeps fewer")));
}

TEST(FewShotSplits, OneShotOfTinyData) {
  const Labelled items = labelled({{0, "a", "1"}, {0, "b", "2"}, {1, "c", "3"}, {1, "d", "4"}}, 2);
  const FewShotPool pool{.rows = {0, 1, 2, 3}, .test = {}};
  std::set<Rows> supports;
  for (const FewShotSplit& split : make_splits(items, pool, {1}, 20)) {
    check(items, pool, split);
    supports.insert(split.support);
  }
  EXPECT_EQ(supports.size(), 4u);  // of each class either one
}

// Of equal bytes one is drawn, and never on two sides, whatever the concepts are called.
TEST(FewShotSplits, EqualBytesUnderTwoNames) {
  std::vector<Item> items;
  for (std::int64_t label = 0; label < 2; ++label)
    for (int i = 0; i < 6; ++i)
      for (const char* name : {"x", "y"}) items.push_back({label, cat(name, label, i), cat(label, ".", i)});
  const Labelled all = labelled(items, 2);
  const FewShotPool pool = make_pool(all, 0.2);
  EXPECT_EQ(pool.rows.size() + pool.test.size(), 12u);
  for (const FewShotSplit& split : make_splits(all, pool, {1, 2}, 30)) check(all, pool, split);
}

// What is filed under two concepts makes one of them: neither's other pictures stand across from the other's.
TEST(FewShotSplits, ConceptsWithAPictureInCommonAreOne) {
  std::vector<Item> items;
  for (std::int64_t label = 0; label < 2; ++label)
    for (int i = 0; i < 8; ++i) {
      const std::string one = cat("one ", label, ".", i), other = cat("other ", label, ".", i);
      items.insert(items.end(), {{label, one, cat("a", label, i)}, {label, one, cat("both", label, i)}});
      items.insert(items.end(), {{label, other, cat("both", label, i)}, {label, other, cat("b", label, i)}});
    }
  const Labelled all = labelled(items, 2);
  const FewShotPool pool = make_pool(all, 0.25);
  const auto things = [&](const Rows& rows) {
    std::set<std::string> found;
    for (const std::string& name : named(all.groups, rows)) found.insert(name.substr(name.find(' ')));
    return found;
  };
  EXPECT_TRUE(disjoint(things(pool.rows), things(pool.test)));
  for (const FewShotSplit& split : make_splits(all, pool, {4}, 20)) {
    check(all, pool, split);
    EXPECT_TRUE(disjoint(things(split.support), things(split.validation)));
  }
}

TEST(FewShotSplits, WhatContradictsItselfOrCannotBeReadIsNotDrawn) {
  std::vector<Item> items;
  for (std::int64_t label = 0; label < 2; ++label)
    for (int i = 0; i < 5; ++i) items.push_back({label, cat(label, i), cat(label, ".", i)});
  items.push_back({0, "p", "twice"});
  items.push_back({1, "q", "twice"});
  items.push_back({1, "r", ""});
  items.push_back({0, "s", ""});
  const Labelled all = labelled(items, 2);
  ::testing::internal::CaptureStderr();
  const FewShotPool pool = make_pool(all, 0.2);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("1 picture stands in two classes and is not drawn:\n  photos.csv:12 = photos.csv:13"));
  EXPECT_EQ(pool.rows.size() + pool.test.size(), 10u);
  EXPECT_LT(std::max(pool.rows.back(), pool.test.back()), 10);
}

TEST(FewShotSplits, AClassOfOneConceptIsSplitByContentAndSaid) {
  std::vector<Item> items;
  for (int i = 0; i < 10; ++i) items.push_back({0, "all of it", cat("a", i)});
  for (int i = 0; i < 10; ++i) items.push_back({1, cat("b", i / 2), cat("b", i)});
  const Labelled all = labelled(items, 2);
  FewShotPool pool{.rows = Rows(20), .test = {}};
  std::iota(pool.rows.begin(), pool.rows.end(), 0);
  ::testing::internal::CaptureStderr();
  const std::vector<FewShotSplit> splits = make_splits(all, pool, {1, 4}, 10);
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      HasSubstr("1 class has a single concept: support and validation share it there, though no picture "
                "(class 0)"));
  for (const FewShotSplit& split : splits) {
    check(all, pool, split, false);
    std::set<std::string> support = named(all.groups, split.support),
                          validation = named(all.groups, split.validation);
    support.erase("all of it");
    validation.erase("all of it");
    EXPECT_TRUE(disjoint(support, validation));
  }
}

// Concepts that hold two classes each (documents with sentences of either) can be split as well.
TEST(FewShotSplits, ConceptsOfSeveralClasses) {
  std::vector<Item> items;
  Random random(1);
  for (int k = 0; k < 20; ++k)
    for (int i = 0; i < 4; ++i)
      items.push_back({static_cast<std::int64_t>(random.below(2)), cat("document ", k), cat(k, ".", i)});
  const Labelled all = labelled(items, 2);
  const FewShotPool pool = make_pool(all, 0.25);
  EXPECT_FALSE(pool.test.empty());
  for (const FewShotSplit& split : make_splits(all, pool, {1, 2, 4, 8}, 50)) check(all, pool, split);
}

// A validation concept that would leave too few shots is passed over: what the data allows, every seed allows.
TEST(FewShotSplits, UnevenConceptsFitWheneverTheyCan) {
  std::vector<Item> items;
  for (int i = 0; i < 16; ++i) items.push_back({0, "large", cat("l", i)});
  for (const int size : {3, 2, 2})  // for 16 shots and 4 only 2 + 2 do
    for (int i = 0; i < size; ++i)
      items.push_back({0, cat("small ", size, items.size() / 20), cat("s", items.size())});
  for (int i = 0; i < 30; ++i) items.push_back({1, cat("other", i), cat("o", i)});
  Labelled all = labelled(items, 2);
  all.groups[16] = all.groups[17] = all.groups[18] = "three";
  all.groups[19] = all.groups[20] = "two";
  all.groups[21] = all.groups[22] = "two more";
  FewShotPool pool{.rows = Rows(items.size()), .test = {}};
  std::iota(pool.rows.begin(), pool.rows.end(), 0);
  for (const FewShotSplit& split : make_splits(all, pool, {16}, 40)) check(all, pool, split);
  EXPECT_THAT(failure_of([&] { make_splits(all, pool, {20}, 5); }).text,
              HasSubstr("all classes allow at most 19 shots"));
}

TEST(FewShotSplits, TooFew) {
  const auto message = [](const Labelled& items, std::int64_t shots) {
    FewShotPool pool{.rows = Rows(static_cast<std::size_t>(items.size())), .test = {}};
    std::iota(pool.rows.begin(), pool.rows.end(), 0);
    const Failure failure = failure_of([&] { make_splits(items, pool, {1, shots}, 3); });
    EXPECT_EQ(failure.exit, Exit::data);
    return failure.text;
  };
  std::vector<Item> items;
  for (const int label : {0, 1, 2})
    for (int i = 0; i < (label == 0 ? 30 : 8 + label); ++i)
      items.push_back({label, cat(label, ".", i), cat(label, i + 100)});
  EXPECT_EQ(
      message(labelled(items, 3), 16),
      "photos.csv: 16 shots and 4 for validation are more than 2 classes allow: 'class 1' has 9; 'class 2' "
      "has 10; all classes allow at most 5 shots; --leave-out-small goes on without such classes");
  EXPECT_THAT(
      message(regular(2, 2, 12), 16),
      HasSubstr("16 shots and 4 for validation, of other concepts, are more than 2 classes allow: 'class 0' "
                "has 24 of 2 concepts; 'class 1' has 24 of 2 concepts; all classes allow at most 12 shots"));
  EXPECT_THAT(message(labelled({{0, "a", "1"}, {1, "b", "2"}, {1, "c", "3"}}, 2), 1),
              AllOf(HasSubstr("1 shot and 1 for validation are more than 1 class allows: 'class 0' has 1"),
                    HasSubstr("a class needs two items or more")));
  EXPECT_THAT(message(labelled({{1, "b", "2"}, {1, "c", "3"}}, 2), 1), HasSubstr("'class 0' has 0"));
}

TEST(FewShotSplits, SeveralLabelsAreRefused) {
  Labelled items = regular(2, 3, 1);
  items.labels[2] = {0, 1};
  EXPECT_THAT(failure_of([&] { make_pool(items, 0.2); }).text, HasSubstr("photos.csv:4: has 2 labels"));
}

TEST(FewShotSplits, TestDataOfItsOwn) {
  Labelled items = regular(2, 6, 3);
  Labelled test = regular(2, 2, 3, "test ");
  test.source.manifest = "test.csv";
  EXPECT_EQ(make_pool(items, test, false).rows.size(), 36u);
  EXPECT_EQ(make_pool(items, test, false).test.size(), 12u);

  test.groups[0] = items.groups[4];        // a concept in both: its other pictures are not drawn
  items.contents[30] = items.contents[3];  // nor is what equals one of them
  FewShotPool pool = make_pool(items, test, false);
  EXPECT_EQ(pool.rows.size(), 36u - 3 - 1);
  EXPECT_FALSE(std::ranges::binary_search(pool.rows, 30));

  items.contents[10] = test.contents[5];
  const Failure failure = failure_of([&] { make_pool(items, test, false); });
  EXPECT_EQ(failure.exit, Exit::data);
  EXPECT_THAT(failure.text, AllOf(HasSubstr("1 of its 36 pictures stands in test.csv too"),
                                  HasSubstr("photos.csv:12 = test.csv:7"), HasSubstr("--leave-out-shared")));
  pool = make_pool(items, test, true);
  EXPECT_FALSE(std::ranges::binary_search(pool.rows, 10));

  for (std::size_t row = 0; row < 6; ++row) test.groups[row] = items.groups[3 * row];
  EXPECT_THAT(
      failure_of([&] { make_pool(items, test, true); }).text,
      AllOf(HasSubstr(
                "nothing is left to draw for 1 class, since the test data holds all their concepts: class 0"),
            HasSubstr("--concept-column")));
}

}  // namespace
}  // namespace duet
