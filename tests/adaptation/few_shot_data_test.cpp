// Which items of a study are left out, and which splits do not fit it.
#include "adaptation/few_shot_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/format.h"
#include "tests/adaptation/few_shot_items.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(FewShot, UnreadablePicturesAreNeitherDrawnNorAsked) {
  FewShotData data = made_up_items();
  const std::vector<FewShotSplit> splits = made_up_splits({2}, 1);
  const std::int64_t drawn = splits[0].support.front();
  data.features.bad = {{0, "cut"}, {59, "cut"}};
  drop_unreadable(data);
  EXPECT_EQ(data.pool.test.front(), 1);
  EXPECT_EQ(data.pool.rows.back(), 58);
  data.features.bad = {{0, "cut"}};
  EXPECT_NO_THROW(check_readable(data, splits));
  data.features.bad = {{drawn, "cut"}};
  const Failure refused = failure_of([&] { check_readable(data, splits); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_THAT(refused.text, HasSubstr("1 of their pictures cannot be read"));
}

TEST(FewShot, ATestThatCannotBeReadIsRefused) {
  FewShotData data = made_up_items();
  for (const std::int64_t row : data.pool.test) data.features.bad.emplace_back(row, "cut");
  const Failure refused = failure_of([&] { drop_unreadable(data); });
  EXPECT_EQ(refused.exit, Exit::data);
  EXPECT_THAT(refused.text, HasSubstr("no picture of the test part can be read"));
}

// Each item its own concept; `dogs` items of the last class.
FewShotData apart(std::int64_t dogs = kOfClass) {
  FewShotData made = made_up_items();
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < made.items.size(); ++row) {
    made.items.groups[static_cast<std::size_t>(row)] = cat("thing ", row);
    if (row % kClasses != 2 || row / kClasses < dogs) rows.push_back(row);
  }
  FewShotData data = few_shot_data(subset(made.items, rows), 0.25);
  data.features.tower = made.features.tower.index_select(0, torch::tensor(rows));
  return data;
}

TEST(FewShot, ClassesThatAreTooSmallAreLeftOut) {
  FewShotData data = apart(4);
  EXPECT_EQ(failure_of([&] { make_splits(data.items, data.pool, {1, 4}, 3); }).exit, Exit::data);
  const FewShotData before = data;
  data.features.bad = {{0, "cut"}, {2, "cut"}, {3, "cut"}};
  testing::internal::CaptureStderr();
  leave_out_small(data, 4, 3);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("1 class is left out, being too small for 4 shots and validation: dog"));
  EXPECT_EQ(data.classes(), (std::vector<std::string>{"bird", "cat"}));
  EXPECT_EQ(data.items.size(), 2 * kOfClass);
  EXPECT_EQ(data.features.bad, (BadRows{{0, "cut"}, {2, "cut"}}));
  EXPECT_EQ(data.pool.kept_for_test, (std::vector<std::int64_t>{5, 5}));
  // All that remains is what it was, under other numbers.
  std::set<std::string> asked, expected;
  for (const std::int64_t row : data.pool.test)
    asked.insert(data.items.contents[static_cast<std::size_t>(row)]);
  for (const std::int64_t row : before.pool.test)
    if (before.items.labels[static_cast<std::size_t>(row)].front() != 2)
      expected.insert(before.items.contents[static_cast<std::size_t>(row)]);
  EXPECT_EQ(asked, expected);
  for (std::int64_t row = 0; row < data.items.size(); ++row) {
    const auto& contents = before.items.contents;
    const auto was =
        std::find(contents.begin(), contents.end(), data.items.contents[static_cast<std::size_t>(row)]);
    EXPECT_TRUE(torch::equal(data.features.tower[row], before.features.tower[was - contents.begin()]));
  }
  EXPECT_EQ(make_splits(data.items, data.pool, {1, 4}, 3).size(), 6u);
  leave_out_small(data, 4, 3);  // nothing more
  EXPECT_EQ(data.classes().size(), 2u);
  EXPECT_THAT(failure_of([&] { leave_out_small(data, 15, 3); }).text, HasSubstr("no class is large enough"));
}

TEST(FewShot, SplitsOfAFileKeepToTheRules) {
  FewShotData data = apart();
  const FewShotSplits splits{data.pool, make_splits(data.items, data.pool, {1, 4}, 2)};
  EXPECT_NO_THROW(check_replayed(data, splits, "s.json"));
  const auto refused = [&](const FewShotSplits& read) {
    const Failure failure = failure_of([&] { check_replayed(data, read, "s.json"); });
    EXPECT_EQ(failure.exit, Exit::data);
    return failure.text;
  };
  FewShotSplits mixed = splits;
  mixed.splits[1].validation = mixed.splits[1].support;
  EXPECT_THAT(refused(mixed), HasSubstr("s.json: support and validation of 4 shots, seed 1, share"));
  // One concept on two sides, by another name for what is asked.
  std::string& group = data.items.groups[static_cast<std::size_t>(splits.splits[1].support.front())];
  const std::string own = group;
  group = data.items.groups[static_cast<std::size_t>(splits.splits[1].validation.front())];
  EXPECT_THAT(refused(splits), HasSubstr("support and validation of "));
  group = data.items.groups[static_cast<std::size_t>(data.pool.test.front())];
  EXPECT_THAT(refused(splits), HasSubstr("asks for concepts or contents that it draws from"));
  group = own;
  // Test data of its own: what make_pool would not draw from.
  const FewShotData other =
      few_shot_data(subset(data.items, splits.pool.rows), subset(data.items, splits.pool.test), false);
  data.own_test = other.own_test;
  EXPECT_NO_THROW(check_replayed(data, splits, "s.json"));
  data.pool.rows.erase(data.pool.rows.begin());
  EXPECT_THAT(refused(splits), HasSubstr("draws from items whose concept or content is in the test data"));
}

}  // namespace
}  // namespace duet
