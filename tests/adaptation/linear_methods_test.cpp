// The methods that learn a linear map of frozen features.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"
#include "evaluation/logistic.h"
#include "toy_features.h"

namespace duet {
namespace {

using testing::accuracy_on;
using testing::toy_task;

struct Kind {
  std::string name;
  FitMethod fit;
};

class LinearMethods : public ::testing::TestWithParam<Kind> {
 protected:
  Adapted fit(const testing::ToyTask& toy) const {
    return GetParam().fit(toy.task, toy.support, toy.validation, 1);
  }
};
class PlainLinearMethods : public LinearMethods {};  // read no names
class NamedLinearMethods : public LinearMethods {};

const auto kPlain = ::testing::Values(Kind{"NearestCentroid", &fit_nearest_centroid},
                                      Kind{"LinearProbe", &fit_linear_probe}, Kind{"Ridge", &fit_ridge});
const auto kNamed = ::testing::Values(Kind{"TextProbe", &fit_text_probe}, Kind{"LpBlend", &fit_lp_blend});
const auto kName = [](const auto& one) { return one.param.name; };
INSTANTIATE_TEST_SUITE_P(Plain, LinearMethods, kPlain, kName);
INSTANTIATE_TEST_SUITE_P(Named, LinearMethods, kNamed, kName);
INSTANTIATE_TEST_SUITE_P(All, PlainLinearMethods, kPlain, kName);
INSTANTIATE_TEST_SUITE_P(All, NamedLinearMethods, kNamed, kName);

TEST_P(LinearMethods, LearnSeparableClassesPerfectly) {
  const auto toy = toy_task({.classes = 6, .shots = 16, .spread = .1, .names_off = 1.5});
  const auto adapted = fit(toy);
  const bool has_names = GetParam().fit == &fit_text_probe || GetParam().fit == &fit_lp_blend;
  EXPECT_EQ(adapted.classifier->kind(), has_names ? "blend" : "linear");
  EXPECT_DOUBLE_EQ(accuracy_on(*adapted.classifier, toy.asked), 1);
}

TEST_P(LinearMethods, OneShotOfEachClassIsEnough) {
  auto toy = toy_task({.classes = 5, .shots = 1, .spread = .15});
  const auto first = at::arange(5) * 8;  // one held-out item a class
  toy.validation.rows = toy.validation.rows.index_select(0, first);
  toy.validation.tower = toy.validation.tower.index_select(0, first);
  toy.validation.labels = toy.validation.labels.index_select(0, first);
  const auto adapted = fit(toy);
  EXPECT_GE(accuracy_on(*adapted.classifier, toy.asked), .95);
  EXPECT_TRUE(adapted.classifier->logits(toy.asked).isfinite().all().item<bool>());
}

TEST_P(LinearMethods, OrderOfTheSupportChangesNothing) {
  const auto toy = toy_task({.classes = 6, .shots = 10, .spread = .5, .names_off = 1});
  auto turned = toy;
  for (torch::Tensor* part : {&turned.support.rows, &turned.support.tower, &turned.support.labels})
    *part = part->flip(0).contiguous();
  const auto a = fit(toy), b = fit(turned);
  EXPECT_EQ(a.chosen.value("input", ""), b.chosen.value("input", ""));
  const auto expected = a.classifier->logits(toy.asked), got = b.classifier->logits(toy.asked);
  EXPECT_LT((got - expected).norm().item<double>(), 2e-3 * expected.norm().item<double>());
}

TEST_P(PlainLinearMethods, NeedNoRows) {
  auto toy = toy_task({.shots = 8, .spread = .1});
  toy.task.name_vectors = {};
  for (Part* part : {&toy.support, &toy.validation, &toy.asked}) part->rows = torch::Tensor();
  const auto adapted = fit(toy);
  EXPECT_EQ(adapted.chosen.at("input"), "tower");
  EXPECT_DOUBLE_EQ(accuracy_on(*adapted.classifier, toy.asked), 1);
}

// What is in one of the inputs alone is found, by validation.
TEST_P(PlainLinearMethods, TakeTheInputThatTells) {
  auto toy = toy_task({.shots = 16, .spread = .1});
  auto generator = at::detail::createCPUGenerator(7);
  for (Part* part : {&toy.support, &toy.validation, &toy.asked})
    part->tower = at::randn(part->tower.sizes(), generator);
  const auto adapted = fit(toy);
  EXPECT_NE(adapted.chosen.at("input"), "tower");
  EXPECT_GE(accuracy_on(*adapted.classifier, toy.asked), .95);
}

// The mean of a name and its opposite would say nothing.
TEST_P(NamedLinearMethods, SeveralNamesAreAlternatives) {
  auto toy = toy_task({.names_off = .1, .swapped = true});
  const auto& vectors = toy.task.name_vectors.vectors;
  toy.task.name_vectors = {torch::cat({vectors.narrow(0, 0, 1), -vectors.narrow(0, 0, 1), vectors.slice(0, 1)}),
                           torch::tensor({0, 0, 1, 2, 3}, torch::kLong)};
  EXPECT_GT(accuracy_on(*fit(toy).classifier, toy.asked), .9);
}

// Support labels that are all wrong: validation tells, and the names remain.
TEST_P(NamedLinearMethods, MayChooseZeroShot) {
  auto toy = toy_task({.names_off = .1, .swapped = true});
  const auto adapted = fit(toy);
  const auto zero_shot = toy.asked.rows.matmul(toy.task.name_vectors.vectors.t());
  EXPECT_TRUE(torch::equal(adapted.classifier->logits(toy.asked).argmax(1), zero_shot.argmax(1)));
  EXPECT_EQ(adapted.chosen.value("C", adapted.chosen.value("rounds", -1.0)), 0);
  // Then validation says the same of both: neither is favoured.
  const auto& held_out = toy.validation;
  const Verdict verdict =
      adapted.validated ? *adapted.validated : judged(adapted.classifier->logits(held_out), held_out.labels);
  const Verdict named = judged(held_out.rows.matmul(toy.task.name_vectors.vectors.t()), held_out.labels);
  EXPECT_NEAR(verdict.cross_entropy, named.cross_entropy, 1e-5);
}

TEST_P(LinearMethods, LogitsAreProbabilitiesLogarithms) {
  const auto toy = toy_task({.classes = 4, .shots = 16, .spread = .6, .names_off = 1});
  const auto adapted = fit(toy);
  // Noisy items: whoever is as sure as the labels are right has about the lowest cross entropy.
  const auto logits = adapted.classifier->logits(toy.asked);
  const double scale = calibrated_scale(logits, toy.asked.labels);
  EXPECT_GT(scale, .4);
  EXPECT_LT(scale, 2.5);
}

// However sure it is by itself: as zero-shot, it is judged at the scale that tells validation best.
TEST(LinearProbeVerdict, IsOfTheSupportsFitAtItsBestScale) {
  const auto toy = toy_task({.classes = 4, .shots = 4, .spread = .1});
  const auto adapted = fit_linear_probe(toy.task, toy.support, toy.validation, 1);
  const LinearInput input(adapted.chosen.at("input"), toy.support);
  const LinearProbe alone =
      fit_logistic(input.of(toy.support), toy.support.labels, 4, adapted.chosen.at("C").get<double>());
  const auto logits = alone.logits(input.of(toy.validation));
  const Verdict expected = judged(logits, toy.validation.labels);
  ASSERT_TRUE(adapted.validated);
  const double raw = judge(logits, toy.validation.labels).loss;
  EXPECT_LT(adapted.validated->cross_entropy, raw / 10);
  EXPECT_NEAR(adapted.validated->cross_entropy, expected.cross_entropy, raw / 10);
  EXPECT_DOUBLE_EQ(adapted.validated->accuracy, expected.accuracy);
}

TEST(LinearInput, FoldsItsStatisticsIntoTheMap) {
  const auto toy = toy_task();
  for (const LinearInput& input : linear_inputs(toy.support)) {
    const auto seen = input.of(toy.support);
    EXPECT_LT(seen.mean(0).abs().max().item<double>(), 1e-5) << input.name();
    const LinearProbe probe{torch::ones({2, seen.size(1)}) * torch::tensor({{.5F}, {-1.F}}),
                            torch::tensor({1.F, 2.F})};
    const auto classifier = linear_classifier(input.folded(probe));
    EXPECT_LT((classifier->logits(toy.asked) - probe.logits(input.of(toy.asked))).abs().max().item<double>(),
              1e-3);
  }
}

TEST(LinearInput, WhatStandsStillInTheSupportIsNotBlownUp) {
  auto toy = toy_task();
  toy.support.tower.select(1, 0).fill_(1);
  const LinearInput input("tower", toy.support);
  EXPECT_LT(input.of(toy.asked).select(1, 0).abs().max().item<double>(), 1e3);
}

}  // namespace
}  // namespace duet
