#include "evaluation/shared_items.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

Labelled labelled(const std::string& name, const std::vector<std::string>& contents,
                  std::vector<std::vector<std::int64_t>> labels) {
  Labelled items;
  items.classes = {"cat", "dog", "owl"};
  items.source.manifest = name;
  for (const std::string& content : contents)
    items.source.pairs.push_back({.image = content, .line = std::ssize(items.source.pairs) + 2});
  items.contents = items.groups = contents;
  items.labels = std::move(labels);
  return items;
}

const Labelled kLearned = labelled("train.csv", {"a", "b", "", "c", "b"}, {{0}, {1}, {1}, {2}, {1}});

std::string warned(const std::vector<const Labelled*>& all) {
  ::testing::internal::CaptureStderr();
  warn_of_missing_concepts(all);
  return ::testing::internal::GetCapturedStderr();
}

TEST(SharedItems, AreRefusedWithTheirPlaces) {
  const Labelled asked = labelled("test.csv", {"x", "b", "", "b"}, {{0}, {1}, {0}, {1}});
  EXPECT_THAT(shared_rows(kLearned, asked), ElementsAre(Pair(1, 1), Pair(4, 1)));  // unreadable ones are no two
  const Failure refused = failure_of([&] { apart_from(kLearned, asked, false); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_THAT(refused.text, AllOf(HasSubstr("train.csv: 2 of its 5 pictures stand in test.csv too"),
                                  HasSubstr("train.csv:3 = test.csv:3\n  train.csv:6 = test.csv:3"),
                                  HasSubstr("--leave-out-shared")));
}

TEST(SharedItems, AreLeftOut) {
  const Labelled asked = labelled("test.csv", {"b2", "a2"}, {{0}, {1}});
  EXPECT_EQ(apart_from(kLearned, asked, false).size(), 5);
  Labelled more = kLearned;
  more.source.pairs.push_back({.image = "a2"});
  more.contents.push_back("a2");
  more.groups.push_back("a2");
  more.labels.push_back({0});
  EXPECT_THAT(apart_from(more, asked, true).contents, ElementsAre("a", "b", "", "c", "b"));
}

TEST(SharedItems, AClassThatLosesAllIsNamed) {
  const Labelled asked = labelled("test.csv", {"a", "c"}, {{0}, {1}});
  const Failure refused = failure_of([&] { apart_from(kLearned, asked, true); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_THAT(refused.text,
              HasSubstr("nothing is left of 2 classes, all of whose items test.csv holds: cat, owl"));
  // One that had none before has lost nothing.
  const Labelled few = labelled("train.csv", {"a", "b", "c"}, {{0}, {0}, {2}});
  EXPECT_EQ(apart_from(few, labelled("test.csv", {"a"}, {{0}}), true).size(), 2);
  EXPECT_THAT(failure_of([&] { apart_from(few, few, true); }).text,
              HasSubstr("train.csv: nothing is left of it: train.csv holds all its items"));
}

TEST(SharedItems, EqualItemsUnderDifferentLabelsAreWarnedOf) {
  const Labelled items =
      labelled("a.csv", {"x", "y", "x", "", "x", "", "y"}, {{0}, {1}, {0}, {1}, {2}, {2}, {1}});
  EXPECT_THAT(contradictions(items), ElementsAre("a.csv:2 = a.csv:6"));
  const auto told = [](const Labelled& one) {
    ::testing::internal::CaptureStderr();
    warn_of_contradictions(one);
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(told(items), HasSubstr("a.csv: 1 picture stands there again under another label, one of which is "
                                     "wrong:\n  a.csv:2 = a.csv:6"));
  EXPECT_EQ(told(kLearned), "");
  // Of items with several labels all of them count.
  EXPECT_THAT(contradictions(labelled("b.csv", {"x", "x", "y", "y"}, {{0, 1}, {0}, {1, 2}, {1, 2}})),
              ElementsAre("b.csv:2 = b.csv:3"));
}

TEST(SharedItems, AConceptColumnOnOneSideIsWarnedOf) {
  Labelled with = kLearned;
  for (std::size_t row = 0; row < with.groups.size(); ++row)
    with.groups[row] = with.source.pairs[row].concept_key = "k";
  const Labelled without = labelled("test.csv", {"x"}, {{0}});
  EXPECT_THAT(warned({&with, &without}), HasSubstr("test.csv has no concepts, as train.csv has"));
  EXPECT_THAT(warned({&with, &with}), Not(HasSubstr("concepts")));
  EXPECT_THAT(warned({&without, &without}), Not(HasSubstr("concepts")));
}

}  // namespace
}  // namespace duet
