#include "evaluation/ridge_classifier.h"

#include <ATen/ops/one_hot.h>
#include <gtest/gtest.h>

#include "tensors/tensor_file.h"

namespace duet {
namespace {

const TensorMap& golden() {
  static const TensorMap values = load_tensors(std::string(DUET_GOLDEN) + "/probes.safetensors");
  return values;
}

double relative(const torch::Tensor& got, const torch::Tensor& wanted) {
  return ((got - wanted).norm() / wanted.norm()).item<double>();
}

void expect_as_golden(const std::string& name, const std::string& features, const std::string& labels) {
  const RidgeProblem problem(golden().at(features), golden().at(labels), 5);
  const auto probe = problem.fit(golden().at(name + "/alpha").item<double>());
  EXPECT_LT(relative(probe.weight, golden().at(name + "/weight")), 1e-5);
  EXPECT_LT(relative(probe.bias, golden().at(name + "/bias")), 1e-5);
}

TEST(RidgeProblem, OfManyItemsEqualsScikitLearn) { expect_as_golden("ridge/many", "train", "labels"); }
TEST(RidgeProblem, OfFewerItemsThanFeaturesEqualsScikitLearn) {
  expect_as_golden("ridge/few", "few", "few_labels");
}

TEST(RidgeProblem, ARankThatIsMissingDoesNotDisturb) {
  const auto& few = golden().at("few");
  const auto twice = torch::cat({few, few});
  const auto labels = torch::cat({golden().at("few_labels"), golden().at("few_labels")});
  // Every item twice is every item once with half the penalty.
  const auto a = RidgeProblem(twice, labels, 5).fit(1),
             b = RidgeProblem(few, golden().at("few_labels"), 5).fit(.5);
  EXPECT_LT(relative(a.weight, b.weight), 1e-5);
}

// One label an item said as 0 and 1 is the same problem, and each column of several labels that of one class
// against the rest.
TEST(RidgeProblem, SeveralLabelsAreAProblemEach) {
  const auto &train = golden().at("train"), &several = golden().at("several_labels");
  const auto probe = RidgeProblem(train, several, several.size(1)).fit(2);
  for (std::int64_t c = 0; c < several.size(1); ++c) {
    const auto one = RidgeProblem(train, several.select(1, c).to(torch::kLong), 2).fit(2);
    EXPECT_LT(relative(probe.weight[c], one.weight[1]), 1e-5);
    EXPECT_NEAR(probe.bias[c].item<double>(), one.bias[1].item<double>(), 1e-5);
  }
  const auto targets = at::one_hot(golden().at("labels"), 5).to(torch::kFloat);
  EXPECT_TRUE(torch::equal(RidgeProblem(train, targets, 5).fit(2).weight,
                           RidgeProblem(train, golden().at("labels"), 5).fit(2).weight));
}

TEST(ChooseAlpha, TakesTheBestAndOfEqualsTheLargest) {
  const RidgeProblem problem(golden().at("train"), golden().at("labels"), 5);
  const ChosenAlpha chosen = choose_alpha(problem, golden().at("test"), golden().at("truth"));
  EXPECT_EQ(chosen.tried.size(), 19U);
  for (const auto& [alpha, judgement] : chosen.tried) {
    EXPECT_FALSE(judgement.better_than(chosen.judgement)) << alpha;
    EXPECT_TRUE(alpha <= chosen.alpha || chosen.judgement.better_than(judgement)) << alpha;
  }
  // A held-out item at the mean: nothing depends on alpha.
  const auto features = torch::tensor({{1.F, 0.F}, {-1.F, 0.F}});
  const RidgeProblem even(features, torch::tensor({0, 1}), 2);
  const ChosenAlpha any = choose_alpha(even, torch::zeros({1, 2}), torch::tensor({0}));
  EXPECT_DOUBLE_EQ(any.alpha, any.tried.back().first);
}

}  // namespace
}  // namespace duet
