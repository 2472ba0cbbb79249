#include "evaluation/logistic.h"

#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include "encoders/init.h"
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

double accuracy(const LinearProbe& probe, const torch::Tensor& features, const torch::Tensor& labels) {
  return judge(probe.logits(features), labels).accuracy;
}

class Logistic : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Logistic, ::testing::Values("weak", "middle", "strong"),
                         [](const auto& one) { return one.param; });

TEST_P(Logistic, EqualsScikitLearn) {
  const auto value = [](const std::string& name) { return golden().at("logistic/" + GetParam() + "/" + name); };
  const auto probe = fit_logistic(golden().at("train"), golden().at("labels"), 5, value("c").item<double>());
  EXPECT_LT(relative(probe.weight, value("weight")), 1e-3);
  EXPECT_LT(relative(probe.bias, value("bias")), 1e-3);
  EXPECT_NEAR(accuracy(probe, golden().at("test"), golden().at("truth")), value("accuracy").item<double>(),
              .002);
}

TEST(LogisticProblem, OfFewerItemsThanFeaturesEqualsScikitLearn) {
  const auto probe = fit_logistic(golden().at("few"), golden().at("few_labels"), 5, 1);
  EXPECT_LT(relative(probe.weight, golden().at("few/weight")), 1e-3);
  EXPECT_LT(relative(probe.bias, golden().at("few/bias")), 1e-3);
}

TEST(LogisticProblem, OfTwoClassesIsScikitLearnsOneSigmoid) {
  const auto probe = fit_logistic(golden().at("train"), golden().at("two_labels"), 2, .1);
  EXPECT_LT(relative(probe.weight[1] - probe.weight[0], golden().at("two/weight")[0]), 1e-3);
  EXPECT_LT(relative(probe.bias[1] - probe.bias[0], golden().at("two/bias")[0]), 1e-3);
}

TEST(LogisticProblem, OneVersusRestEqualsScikitLearn) {
  const auto probe = fit_logistic(golden().at("train"), golden().at("several_labels"),
                                  golden().at("several_labels").size(1), .5);
  EXPECT_LT(relative(probe.weight, golden().at("several/weight")), 1e-3);
  EXPECT_LT(relative(probe.bias, golden().at("several/bias")), 1e-3);
}

// The gradient of the loss with regard to the logits, by differences of the loss.
void expect_gradient_of_differences(const torch::Tensor& targets) {
  const auto logits = Init(3, "logits").normal("x", {5, 4}, 2).to(torch::kDouble);
  auto gradient = logits.clone();
  logistic_loss(gradient, targets);
  for (std::int64_t row = 0; row < 5; ++row) {
    for (std::int64_t column = 0; column < 4; ++column) {
      const auto loss_at = [&](double change) {
        auto moved = logits.clone();
        moved[row][column] += change;
        return logistic_loss(moved, targets);
      };
      EXPECT_NEAR(gradient[row][column].item<double>(), (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5, 1e-8);
    }
  }
}

TEST(LogisticLoss, GradientIsThatOfDifferences) {
  expect_gradient_of_differences(torch::tensor({0, 3, 1, 1, 2}));
  expect_gradient_of_differences(
      torch::tensor({1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1}).view({5, 4}));
}

// Many items go another way (fp32, features as they lie): the gradient there, computed plainly, is zero.
TEST(LogisticProblem, ManyItemsEndWhereTheGradientIsZero) {
  const Init init(7, "many");
  const auto features = init.normal("x", {4000, 64}, 1) + 3;
  const auto labels =
      ((features - 3).matmul(init.normal("w", {64, 100}, 1)) + init.normal("noise", {4000, 100}, 2)).argmax(1);
  const double c = .01;
  LogisticProblem problem(features, labels, 100);
  const auto probe = problem.fit(c);
  EXPECT_TRUE(problem.last().converged);
  auto residuals = probe.logits(features).to(torch::kDouble);
  logistic_loss(residuals, labels);
  const auto by_weight = c * residuals.t().matmul(features.to(torch::kDouble)) + probe.weight;
  EXPECT_LT(by_weight.norm().item<double>(), 1e-3 * probe.weight.norm().item<double>());
  EXPECT_LT(residuals.sum(0).abs().max().item<double>(), 1e-2);
}

TEST(LogisticProblem, FitsOneAfterTheOtherEndWhereFreshOnesDo) {
  const auto& train = golden().at("train");
  const auto& labels = golden().at("labels");
  LogisticProblem problem(train, labels, 5);
  problem.fit(1e-4);
  problem.fit(100);
  const auto warm = problem.fit(.1), fresh = fit_logistic(train, labels, 5, .1);
  EXPECT_LT(relative(warm.weight, fresh.weight), 1e-4);
}

// What is known before takes the place of what was to be learned.
TEST(LogisticProblem, AnOffsetIsNotLearnedAgain) {
  const auto& train = golden().at("train");
  const auto& labels = golden().at("labels");
  const auto known = fit_logistic(train, labels, 5, 100);
  LogisticProblem problem(train, labels, 5, known.logits(train));
  const auto rest = problem.fit(1);
  EXPECT_LT(rest.weight.norm().item<double>(), .1 * known.weight.norm().item<double>());
  LogisticProblem pulled(train, labels, 5, known.logits(train));
  EXPECT_LT(pulled.fit(1e-6).weight.norm().item<double>(), 1e-3);
}

TEST(LogisticProblem, OrderOfItemsChangesNothing) {
  const auto& train = golden().at("train");
  const auto& labels = golden().at("labels");
  const auto plain = fit_logistic(train, labels, 5, 1),
             turned = fit_logistic(train.flip(0), labels.flip(0), 5, 1);
  EXPECT_LT(relative(turned.weight, plain.weight), 1e-4);
}

TEST(LogisticProblem, ConstantAndEqualFeaturesDoNotDisturb) {
  const auto& train = golden().at("train");
  const auto& labels = golden().at("labels");
  const auto plain = fit_logistic(train, labels, 5, .1);
  const auto more = at::cat({train, torch::ones({160, 1}), torch::zeros({160, 1})}, 1);
  const auto probe = fit_logistic(more, labels, 5, .1);
  EXPECT_LT(relative(probe.weight.slice(1, 0, 12), plain.weight), 1e-3);
  EXPECT_LT(probe.weight.slice(1, 12).abs().max().item<double>(), 1e-6);
}

TEST(ChooseC, RefinesAroundThePeakToEightStepsADecade) {
  const auto& train = golden().at("train");
  LogisticProblem problem(train, golden().at("labels"), 5);
  const ChosenC chosen = choose_c(problem, golden().at("test"), golden().at("truth"));
  ASSERT_GE(chosen.tried.size(), 11U);  // 7, and 2 of each halving but at the ends
  EXPECT_DOUBLE_EQ(chosen.tried.front().first, 1e-6);
  EXPECT_DOUBLE_EQ(chosen.tried.back().first, 1e6);
  double nearest = 1e9;
  for (const auto& [c, judgement] : chosen.tried) {
    EXPECT_FALSE(judgement.better_than(chosen.judgement)) << c;
    if (c != chosen.c) nearest = std::min(nearest, std::abs(std::log10(c / chosen.c)));
  }
  EXPECT_NEAR(nearest, 1. / 8, 1e-9);
}

TEST(ChooseC, EndsWhereAllIsCertain) {
  const auto& few = golden().at("few");
  const auto& labels = golden().at("few_labels");
  LogisticProblem problem(few, labels, 5);
  const ChosenC chosen = choose_c(problem, few, labels);
  EXPECT_LT(chosen.tried.back().first, 1e6);
  EXPECT_DOUBLE_EQ(chosen.judgement.accuracy, 1);
  EXPECT_LT(chosen.judgement.loss, 1e-2);
}

TEST(ChooseC, OfEqualsTakesTheStrongestPenalty) {
  // Of one held-out item that is the mean of all, every C says the same.
  const auto features = torch::tensor({{1.F, 0.F}, {-1.F, 0.F}});
  LogisticProblem problem(features, torch::tensor({0, 1}), 2);
  const ChosenC chosen = choose_c(problem, torch::zeros({1, 2}), torch::tensor({0}));
  EXPECT_DOUBLE_EQ(chosen.c, 1e-6);
}

TEST(Judge, SeveralLabelsCountTheBestAnswer) {
  const auto logits = torch::tensor({{2.F, 0.F, 0.F}, {0.F, 1.F, 0.F}});
  const Judgement judgement = judge(logits, torch::tensor({{1, 0, 1}, {1, 0, 0}}));
  EXPECT_DOUBLE_EQ(judgement.accuracy, .5);
  EXPECT_NEAR(judgement.loss,
              torch::binary_cross_entropy_with_logits(logits, torch::tensor({{1.F, 0.F, 1.F}, {1.F, 0.F, 0.F}}))
                  .item<double>(),
              1e-6);
}

TEST(Judge, EqualAccuraciesAreToldByTheLoss) {
  EXPECT_TRUE((Judgement{.6, 2}).better_than({.5, 1}));
  EXPECT_TRUE((Judgement{.5, 1}).better_than({.5, 2}));
  EXPECT_FALSE((Judgement{.5, 1}).better_than({.5, 1}));
  EXPECT_TRUE((Judgement{0, 9}).better_than({}));
  EXPECT_TRUE((Judgement{.4, 1}).better_than({.5, 2}, Criterion::loss));
  EXPECT_FALSE((Judgement{.6, 2}).better_than({.5, 1}, Criterion::loss));
  EXPECT_TRUE((Judgement{0, 9}).better_than({}, Criterion::loss));
}

}  // namespace
}  // namespace duet
