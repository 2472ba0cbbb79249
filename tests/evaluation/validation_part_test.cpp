#include "evaluation/validation_part.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/format.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

Labelled labelled(std::int64_t classes) {
  Labelled items;
  for (std::int64_t c = 0; c < classes; ++c) items.classes.push_back(cat("class ", c));
  items.source.manifest = "photos.csv";
  return items;
}

void add(Labelled& items, const std::string& content, const std::string& group,
         std::vector<std::int64_t> labels) {
  items.source.pairs.push_back({.image = content});
  items.contents.push_back(content);
  items.groups.push_back(group);
  items.labels.push_back(std::move(labels));
}

// 3 classes, 20 concepts each, of one to four pictures.
Labelled many() {
  Labelled items = labelled(3);
  for (int thing = 0; thing < 60; ++thing) {
    for (int picture = 0; picture <= thing % 4; ++picture)
      add(items, cat("content ", thing, " ", picture), cat("thing ", thing), {thing % 3});
  }
  return items;
}

std::set<std::string> contents_of(const Labelled& items, const std::vector<std::int64_t>& rows) {
  std::set<std::string> contents;
  for (const std::int64_t row : rows) contents.insert(items.contents[static_cast<std::size_t>(row)]);
  return contents;
}

TEST(ValidationPart, IsAShareOfEachClassInWholeGroups) {
  const Labelled items = many();
  const ValidationPart part = split_off_validation(items, .2);
  EXPECT_EQ(part.train.size() + part.validation.size(), items.groups.size());
  EXPECT_TRUE(std::ranges::is_sorted(part.train) && std::ranges::is_sorted(part.validation));
  std::set<std::string> learned;
  std::map<std::int64_t, double> held;
  for (const std::int64_t row : part.train) learned.insert(items.groups[static_cast<std::size_t>(row)]);
  for (const std::int64_t row : part.validation) {
    EXPECT_FALSE(learned.contains(items.groups[static_cast<std::size_t>(row)]));
    ++held[items.labels[static_cast<std::size_t>(row)].front()];
  }
  for (std::int64_t label = 0; label < 3; ++label) EXPECT_NEAR(held[label], 10, 3) << label;  // of 50 each
}

TEST(ValidationPart, IsAFunctionOfTheContentsNotOfTheirOrder) {
  const Labelled items = many();
  Labelled backwards = labelled(3);
  for (std::size_t i = items.groups.size(); i-- > 0;)
    add(backwards, items.contents[i], items.groups[i], items.labels[i]);
  EXPECT_EQ(contents_of(items, split_off_validation(items, .2).validation),
            contents_of(backwards, split_off_validation(backwards, .2).validation));
}

// Whatever the hash says: two files of one picture under other names are one.
TEST(ValidationPart, EqualContentsStayTogether) {
  for (int salt = 0; salt < 20; ++salt) {
    Labelled items = labelled(2);
    for (int thing = 0; thing < 6; ++thing) {
      add(items, cat("same ", salt), cat("thing ", thing), {0});  // all one
      add(items, cat("other ", salt, " ", thing), cat("another ", thing), {1});
    }
    const ValidationPart part = split_off_validation(items, .3);
    const auto held = std::ranges::count_if(
        part.validation, [&](std::int64_t row) { return items.labels[static_cast<std::size_t>(row)][0] == 0; });
    EXPECT_EQ(held, 0) << "nothing of the first class would be left";
    EXPECT_EQ(part.validation.size(), 2u);
  }
}

TEST(ValidationPart, ClassOfLargeGroupsGivesTheSmallest) {
  Labelled items = labelled(2);
  for (int picture = 0; picture < 9; ++picture) {
    add(items, cat("a ", picture), picture < 5 ? "large" : "small", {0});
    add(items, cat("b ", picture), cat("b ", picture), {1});
  }
  const auto held = contents_of(items, split_off_validation(items, .1).validation);
  for (const char* content : {"a 5", "a 6", "a 7", "a 8"}) EXPECT_TRUE(held.contains(content)) << content;
  EXPECT_EQ(held.size(), 5u);
}

TEST(ValidationPart, KeepsSomethingOfEachOfSeveralLabels) {
  Labelled items = labelled(3);
  for (int i = 0; i < 40; ++i)
    add(items, cat("item ", i), cat("item ", i),
        i % 2 == 0 ? std::vector<std::int64_t>{0, 1 + i % 4 / 2} : std::vector<std::int64_t>{});
  const ValidationPart part = split_off_validation(items, .25);
  std::set<std::int64_t> learned, asked;
  for (const std::int64_t row : part.train)
    for (const std::int64_t label : items.labels[static_cast<std::size_t>(row)]) learned.insert(label);
  for (const std::int64_t row : part.validation)
    for (const std::int64_t label : items.labels[static_cast<std::size_t>(row)]) asked.insert(label);
  EXPECT_EQ(learned.size(), 3u);
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_EQ(part.validation.size(), 10u);  // items without a label are a quarter too
}

TEST(ValidationPart, RefusesClassesOfOneThingEach) {
  Labelled items = labelled(2);
  for (int picture = 0; picture < 8; ++picture)
    add(items, cat(picture), picture % 2 == 0 ? "even" : "odd", {picture % 2});
  const Failure refused = failure_of([&] { split_off_validation(items, .2); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_NE(refused.text.find("photos.csv: no class has items of two concepts"), std::string::npos);
  EXPECT_NE(refused.text.find("--validation"), std::string::npos);
}

}  // namespace
}  // namespace duet
