// The methods on frozen rows: the two Tip-Adapters, LaplacianShot and CLIP-Adapter.
#include <ATen/ops/one_hot.h>
#include <gtest/gtest.h>

#include "adaptation/classifiers.h"
#include "adaptation/methods/feature_training.h"
#include "adaptation/methods/kinds.h"
#include "losses/functional.h"
#include "tensors/tensor_file.h"
#include "toy_features.h"

namespace duet {
namespace {

using testing::accuracy_on;
using testing::toy_task;

const TensorMap& golden() {
  static const TensorMap values = load_tensors(std::string(DUET_GOLDEN) + "/few_shot.safetensors");
  return values;
}

double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

struct Method {
  const char* name;
  FitMethod fit;
};
void PrintTo(const Method& method, std::ostream* out) { *out << method.name; }

Part one_of(const Part& items, std::int64_t row) {
  Part one = items;
  for (torch::Tensor* tensor : {&one.tower, &one.rows, &one.labels}) *tensor = tensor->narrow(0, row, 1);
  return one;
}

class FeatureMethods : public ::testing::TestWithParam<Method> {
 protected:
  static Adapted fit(const testing::ToyTask& toy, std::uint64_t seed = 1) {
    return GetParam().fit(toy.task, toy.support, toy.validation, seed);
  }
};
INSTANTIATE_TEST_SUITE_P(All, FeatureMethods,
                         ::testing::Values(Method{"tip_adapter", fit_tip_adapter},
                                           Method{"tip_adapter_f", fit_tip_adapter_f},
                                           Method{"laplacian_shot", fit_laplacian_shot},
                                           Method{"clip_adapter", fit_clip_adapter}));

// Names that say little, items that say much.
TEST_P(FeatureMethods, LearnFromTheSupport) {
  const auto toy = toy_task({.classes = 6, .shots = 8, .width = 32, .spread = .2, .names_off = 1});
  const double before = accuracy_on(*zero_shot_classifier(toy.task), toy.asked);
  const auto adapted = fit(toy);
  EXPECT_GT(accuracy_on(*adapted.classifier, toy.asked), before + .1);
}

TEST_P(FeatureMethods, OneShotIsEnoughToRun) {
  auto toy = toy_task({.shots = 1});
  const auto adapted = fit(toy);
  const auto logits = adapted.classifier->logits(toy.asked);
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{200, 4}));
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  EXPECT_GE(accuracy_on(*adapted.classifier, toy.asked), .8);
}

// Support labels that are all wrong: validation tells, and zero-shot is what remains.
TEST_P(FeatureMethods, ValidationMayChooseZeroShot) {
  const auto toy = toy_task({.names_off = .1, .swapped = true});
  const auto adapted = fit(toy);
  const auto named = zero_shot_classifier(toy.task)->logits(toy.asked).argmax(1);
  for (std::int64_t row = 0; row < named.size(0); ++row)
    EXPECT_TRUE(
        torch::equal(adapted.classifier->logits(one_of(toy.asked, row)).argmax(1), named.narrow(0, row, 1)));
  if (GetParam().fit != fit_laplacian_shot) {  // which answers otherwise among others
    EXPECT_TRUE(torch::equal(adapted.classifier->logits(toy.asked).argmax(1), named));
  }
  const auto& chosen = adapted.chosen;
  const char* strength = chosen.contains("alpha") ? "alpha" : chosen.contains("ratio") ? "ratio" : "rounds";
  EXPECT_EQ(chosen[strength], 0);
}

TEST_P(FeatureMethods, FollowFromTheSeedAlone) {
  const auto toy = toy_task({.classes = 6, .shots = 60, .spread = .6, .names_off = 1});
  const auto logits = [&](std::uint64_t seed) { return fit(toy, seed).classifier->logits(toy.asked); };
  const auto first = logits(1);
  torch::manual_seed(99);
  EXPECT_TRUE(torch::equal(first, logits(1)));
  const bool draws = GetParam().fit != fit_tip_adapter && GetParam().fit != fit_laplacian_shot;
  EXPECT_EQ(torch::equal(first, logits(2)), !draws);
}

TEST_P(FeatureMethods, LeaveWhatTheyAreGiven) {
  const auto toy = toy_task();
  const auto rows = toy.support.rows.clone(), names = toy.task.name_vectors.vectors.clone();
  fit(toy);
  EXPECT_TRUE(torch::equal(rows, toy.support.rows));
  EXPECT_TRUE(torch::equal(names, toy.task.name_vectors.vectors));
  EXPECT_FALSE(toy.support.rows.requires_grad());
}

// Names that say little and a shot a class, but many items asked together, each among its like.
TEST(LaplacianShot, WhatIsAskedTogetherHasASay) {
  const auto toy = toy_task({.classes = 6, .shots = 1, .width = 32, .spread = .3, .names_off = 1});
  const auto smooth = fit_laplacian_shot(toy.task, toy.support, toy.validation, 1);
  const FitMethod below = smooth.chosen["of"] == "lp_blend" ? fit_lp_blend : fit_tip_adapter;
  const auto alone = below(toy.task, toy.support, toy.validation, 1);
  EXPECT_GT(accuracy_on(*smooth.classifier, toy.asked), accuracy_on(*alone.classifier, toy.asked) + .05);
  const Part one = one_of(toy.asked, 0);
  EXPECT_TRUE(torch::equal(smooth.classifier->logits(one).argmax(1), alone.classifier->logits(one).argmax(1)));
}

// What validation says is what it says of the better one of those below.
TEST(LaplacianShot, StandsOnWhatValidationLikes) {
  const auto toy = toy_task({.classes = 6, .shots = 8, .width = 32, .spread = .4, .names_off = 1});
  const auto smooth = fit_laplacian_shot(toy.task, toy.support, toy.validation, 1);
  const auto tip = fit_tip_adapter(toy.task, toy.support, toy.validation, 1);
  const auto blend = fit_lp_blend(toy.task, toy.support, toy.validation, 1);
  const double of_tip = judged(tip.classifier->logits(toy.validation), toy.validation.labels).cross_entropy;
  EXPECT_EQ(smooth.validated->cross_entropy, std::min(of_tip, blend.validated->cross_entropy));
  EXPECT_EQ(smooth.chosen["of"], of_tip <= blend.validated->cross_entropy ? "tip_adapter" : "lp_blend");
}

TEST(TipAdapter, WithoutNamesTheCacheStandsAlone) {
  auto toy = toy_task({.shots = 8});
  toy.task.name_vectors = {};
  toy.task.names.clear();
  for (Part* part : {&toy.support, &toy.validation, &toy.asked}) part->rows = torch::Tensor();
  for (const FitMethod fit : {&fit_tip_adapter, &fit_tip_adapter_f, &fit_laplacian_shot}) {
    const auto adapted = fit(toy.task, toy.support, toy.validation, 1);
    EXPECT_EQ(adapted.classifier->facts()["input"], "tower");
    EXPECT_GT(accuracy_on(*adapted.classifier, toy.asked), .95);
  }
}

// Keys after one and after all epochs, beside PyTorch's AdamW and cosine.
TEST(TipAdapterF, KeysLearnAsInPyTorch) {
  const Examples support{golden().at("support"), golden().at("labels")};
  for (const std::int64_t epochs : {1, 20}) {
    KeyCache cache{.keys = golden().at("support").clone(),
                   .values = at::one_hot(golden().at("labels"), 4).to(torch::kFloat),
                   .names = one_name_each(golden().at("class_vectors")),
                   .logit_scale = 20,
                   .alpha = 1.17,
                   .beta = 5.5};
    // Judged by the support itself, whose cross entropy falls: the last epoch is the best one.
    const auto best = train_on_features({cache.keys}, {.eps = 1e-4, .epochs = epochs}, support, support, 1,
                                        [&](const torch::Tensor& rows) { return logits_of(cache, rows); });
    EXPECT_EQ(best.epoch, epochs);
    const auto expected = golden().at("tip/keys_" + std::to_string(epochs));
    EXPECT_LT(distance(cache.keys, expected), 1e-5);
    EXPECT_GT(distance(golden().at("support"), expected), 5e-4);
  }
}

TEST(ClipAdapter, GradientsAreThePapers) {
  FeatureAdapter adapter{.down = golden().at("adapter/down").clone().set_requires_grad(true),
                         .up = golden().at("adapter/up").clone().set_requires_grad(true),
                         .names = one_name_each(golden().at("class_vectors")),
                         .logit_scale = 20,
                         .ratio = .3};
  set_gradients(class_cross_entropy(logits_of(adapter, golden().at("support")), golden().at("labels")),
                {adapter.down, adapter.up});
  EXPECT_LT(distance(adapter.down.grad(), golden().at("adapter/gradient_down")), 1e-5);
  EXPECT_LT(distance(adapter.up.grad(), golden().at("adapter/gradient_up")), 1e-5);
}

// The epoch that is kept is the one that validation liked best, not the last one.
TEST(FeatureTraining, KeepsTheBestEpoch) {
  torch::Tensor weight = torch::zeros({2, 2});
  const Examples support{torch::eye(2), torch::tensor({0, 1})};
  const Examples against{torch::eye(2), torch::tensor({1, 0})};
  const auto logits = [&](const torch::Tensor& rows) { return rows.matmul(weight.t()); };
  const auto worse = train_on_features({weight}, {.lr = .1}, support, against, 1, logits);
  EXPECT_EQ(worse.epoch, 0);
  EXPECT_TRUE(torch::equal(weight, torch::zeros({2, 2})));
  const auto better = train_on_features({weight}, {.lr = .1}, support, support, 1, logits);
  EXPECT_GT(better.epoch, 0);
  EXPECT_EQ(better.verdict.accuracy, 1);
  EXPECT_GT(weight[0][0].item<double>(), 0);
  EXPECT_FALSE(weight.requires_grad());
}

}  // namespace
}  // namespace duet
