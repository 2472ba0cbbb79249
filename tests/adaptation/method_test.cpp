#include "adaptation/method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/format.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

TEST(Methods, NamesAreUniqueAndAnUnknownOneListsThemWithTheirMeanings) {
  std::set<std::string_view> names;
  const std::string unknown = failure_of([] { method_kind("tip"); }).text;
  EXPECT_THAT(unknown, testing::HasSubstr("'tip' is no method"));
  for (const MethodKind& kind : method_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_FALSE(kind.meaning.empty()) << kind.name;
    EXPECT_THAT(unknown, testing::ContainsRegex(cat("\n  ", kind.name, "  +[^ ]")));
    EXPECT_THAT(unknown, testing::HasSubstr(std::string(kind.meaning)));
    EXPECT_EQ(method_kind(kind.name).fit, kind.fit);
  }
}

TEST(Methods, AccuracyAndCrossEntropy) {
  const auto logits = torch::tensor({{1.0F, 1.0F, 0.0F}, {0.0F, 0.0F, 2.0F}});
  EXPECT_DOUBLE_EQ(accuracy_of(logits, torch::tensor({0, 2})), 1);
  EXPECT_DOUBLE_EQ(accuracy_of(logits, torch::tensor({1, 2})), .5);  // of equal logits the smaller class
  EXPECT_NEAR(cross_entropy_of(torch::zeros({4, 3}), torch::tensor({0, 1, 2, 0})), std::log(3), 1e-12);
}

TEST(Methods, AVerdictDoesNotDependOnTheScale) {
  const auto logits = torch::tensor({{2.0F, 0.0F}, {0.0F, 1.0F}, {1.0F, 0.5F}}),
             labels = torch::tensor({0, 1, 1});
  const Verdict verdict = judged(logits, labels);
  EXPECT_NEAR(verdict.accuracy, 2.0 / 3, 1e-12);
  EXPECT_NEAR(judged(logits * 7, labels).cross_entropy, verdict.cross_entropy, 1e-6);
  EXPECT_LT(verdict.cross_entropy, cross_entropy_of(logits * 7, labels));
  EXPECT_TRUE(verdict.better_than(judged(torch::zeros({3, 2}), labels)));
  EXPECT_TRUE(verdict.better_than({}));
  EXPECT_FALSE(verdict.better_than(verdict));
}

}  // namespace
}  // namespace duet
