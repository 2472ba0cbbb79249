#include "adaptation/method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/support/failure.h"

namespace duet {
namespace {

TEST(Methods, NamesAreUniqueAndAnUnknownOneListsThem) {
  std::set<std::string_view> names;
  for (const MethodKind& kind : method_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_FALSE(kind.meaning.empty()) << kind.name;
    EXPECT_EQ(method_kind(kind.name).fit, kind.fit);
  }
  EXPECT_THAT(failure_of([] { method_kind("tip"); }).text, testing::HasSubstr("'tip' is no method"));
}

TEST(Methods, AccuracyAndCrossEntropy) {
  const auto logits = torch::tensor({{1.0F, 1.0F, 0.0F}, {0.0F, 0.0F, 2.0F}});
  EXPECT_DOUBLE_EQ(accuracy_of(logits, torch::tensor({0, 2})), 1);
  EXPECT_DOUBLE_EQ(accuracy_of(logits, torch::tensor({1, 2})), .5);  // of equal logits the smaller class
  EXPECT_NEAR(cross_entropy_of(torch::zeros({4, 3}), torch::tensor({0, 1, 2, 0})), std::log(3), 1e-12);
}

TEST(Methods, OfEqualAccuracyTheLowerCrossEntropyIsBetter) {
  const Verdict best{.accuracy = .5, .cross_entropy = 1};
  EXPECT_TRUE(best.better_than({.accuracy = .4, .cross_entropy = .1}));
  EXPECT_TRUE(best.better_than({.accuracy = .5, .cross_entropy = 2}));
  EXPECT_FALSE(best.better_than(best));
}

}  // namespace
}  // namespace duet
