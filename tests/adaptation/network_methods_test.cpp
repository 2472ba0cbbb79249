#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adaptation/methods/kinds.h"
#include "adaptation/network_classifier.h"
#include "adaptation/network_training.h"
#include "drawn_task.h"
#include "encoders/low_rank.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::both_towers;
using testing::DrawnTask;
using ::testing::HasSubstr;
using testing::Items;
using testing::kPictureTower;
using testing::kTextTower;
using testing::kVit;

constexpr std::uint64_t kSeed = 11;

double centroid_accuracy(const DrawnTask& drawn, const Part& part, const torch::Tensor& labels) {
  std::vector<torch::Tensor> centroids;
  for (std::int64_t label = 0; label < drawn.task.classes; ++label)
    centroids.push_back(drawn.support.tower.index({drawn.support.labels.eq(label)}).mean(0));
  return accuracy_of(-torch::cdist(part.tower, torch::stack(centroids)), labels);
}

void expect_untouched(const DrawnTask& drawn) {
  const TensorMap now = tensors_of(*drawn.saved.model);
  ASSERT_EQ(now.size(), drawn.before.size());
  for (const auto& [name, tensor] : drawn.before) {
    EXPECT_TRUE(now.at(name).equal(tensor)) << name;
    EXPECT_FALSE(now.at(name).grad().defined()) << name;
  }
  EXPECT_FALSE(drawn.saved.model->is_training());
}

void expect_reloads(const DrawnTask& drawn, const Classifier& classifier) {
  const auto facts = nlohmann::json::parse(classifier.facts().dump());
  const auto again = make_network_classifier(facts, classifier.tensors(), drawn.saved, drawn.task.setting);
  EXPECT_TRUE(again->logits(drawn.asked).equal(classifier.logits(drawn.asked)));
  EXPECT_EQ(again->tensors().size(), classifier.tensors().size());
}

TEST(FineTune, LearnsWhatFrozenFeaturesDoNotTell) {
  for (const Items items : {Items::pictures, Items::texts}) {
    const DrawnTask drawn(items == Items::pictures ? kPictureTower : kTextTower, items, 60, 4);
    const Adapted adapted = fit_fine_tune(drawn.task, drawn.support, drawn.validation, kSeed);
    EXPECT_GT(accuracy_of(adapted.classifier->logits(drawn.validation), drawn.validation.labels),
              centroid_accuracy(drawn, drawn.validation, drawn.validation.labels));
    EXPECT_GT(accuracy_of(adapted.classifier->logits(drawn.asked), drawn.answers),
              centroid_accuracy(drawn, drawn.asked, drawn.answers));
    EXPECT_GT(adapted.chosen.at("step").get<int>(), 0);
    EXPECT_EQ(adapted.classifier->kind(), "network");
    expect_untouched(drawn);
    expect_reloads(drawn, *adapted.classifier);
  }
}

TEST(FineTune, IsAFunctionOfTheSeed) {
  const DrawnTask drawn(kPictureTower, Items::pictures, 2);
  const auto logits = [&](std::uint64_t seed) {
    return fit_fine_tune(drawn.task, drawn.support, drawn.validation, seed).classifier->logits(drawn.asked);
  };
  const torch::Tensor first = logits(1), other = logits(2), again = logits(1);
  EXPECT_TRUE(first.equal(again));
  const TuningOptions options{.lrs = {1e-3}, .prepare = [](Model&) { return std::vector<GroupRule>(); }};
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  const auto values = [&](std::uint64_t seed) {
    return tune_network(drawn.task, drawn.support, drawn.validation, seed, head, options).values;
  };
  const TensorMap one = values(1), two = values(2), same = values(1);
  EXPECT_TRUE(one.at("image.stem.weight").equal(same.at("image.stem.weight")));
  EXPECT_FALSE(one.at("image.stem.weight").equal(two.at("image.stem.weight")));
  EXPECT_FALSE(one.at("image.stem.weight").equal(drawn.before.at("image.stem.weight")));
  EXPECT_TRUE(one.at("image.stem_norm.running_mean").equal(drawn.before.at("image.stem_norm.running_mean")));
}

TEST(NetworkMethods, TrainForTheEpochsThatAreAskedFor) {
  DrawnTask drawn(kTextTower, Items::texts, 16);
  const auto steps = [&](FitMethod fit) {
    return fit(drawn.task, drawn.support, drawn.validation, kSeed).chosen.at("steps").get<std::int64_t>();
  };
  ASSERT_EQ(drawn.support.items.size(), 48u);  // two batches an epoch
  EXPECT_EQ(steps(fit_fine_tune), 40);         // 80 steps, but twenty epochs at most
  drawn.task.epochs = 3;
  for (const FitMethod fit : {fit_lora, fit_fine_tune, fit_wise_ft}) EXPECT_EQ(steps(fit), 6);
  // Not the training of before, though all else is the same.
  drawn.task.epochs = 25;
  EXPECT_EQ(steps(fit_fine_tune), 50);
  EXPECT_EQ(fit_wise_ft(drawn.task, drawn.support, drawn.validation, kSeed).curve.size(), 11u);
}

TEST(WiseFt, GoesFromTheStartToTheTuned) {
  const DrawnTask drawn(both_towers(), Items::pictures, 8);
  const Adapted wise = fit_wise_ft(drawn.task, drawn.support, drawn.validation, kSeed);
  ASSERT_EQ(wise.curve.size(), 11U);
  EXPECT_EQ(wise.curve.front().first, 0);
  EXPECT_EQ(wise.curve.back().first, 1);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  const torch::Tensor& seen = head.input == "rows" ? drawn.validation.rows : drawn.validation.tower;
  EXPECT_EQ(wise.curve.front().second, accuracy_of(head.logits(seen), drawn.validation.labels));
  const double alpha = wise.chosen.at("alpha").get<double>();
  const Verdict chosen = judged(wise.classifier->logits(drawn.validation), drawn.validation.labels);
  EXPECT_TRUE(std::any_of(wise.curve.begin(), wise.curve.end(), [&](const auto& point) {
    return point.first == alpha && point.second == chosen.accuracy;
  }));
  // Whichever fine_tune prefers, the start or the tuned weights, stands at an end of the curve.
  const Adapted tuned = fit_fine_tune(drawn.task, drawn.support, drawn.validation, kSeed);
  const Verdict alone = judged(tuned.classifier->logits(drawn.validation), drawn.validation.labels);
  const bool moved = tuned.chosen.at("step").get<int>() > 0;
  EXPECT_EQ(alone.accuracy, (moved ? wise.curve.back() : wise.curve.front()).second);
  EXPECT_LE(chosen.cross_entropy, alone.cross_entropy + 1e-6);
  expect_untouched(drawn);
}

TEST(WiseFt, InterpolatesEveryTensorAndIsExactAtTheEnds) {
  torch::manual_seed(1);
  const TensorMap start = {{"a", torch::randn({50})}, {"n", torch::tensor(3)}};
  const TensorMap end = {{"a", torch::randn({50})}, {"n", torch::tensor(5)}};
  EXPECT_TRUE(interpolated(start, end, 0).at("a").equal(start.at("a")));
  EXPECT_TRUE(interpolated(start, end, 1).at("a").equal(end.at("a")));
  EXPECT_TRUE(torch::allclose(interpolated(start, end, .5).at("a"), (start.at("a") + end.at("a")) / 2));
  EXPECT_TRUE(interpolated(start, start, .3).at("a").equal(start.at("a")));
}

TEST(Lora, KeepsItsSmallPartsAlone) {
  for (const char* tower : {kVit, kPictureTower}) {  // of the convnet the map of its feature
    const DrawnTask drawn(tower, Items::pictures, 4);
    const Adapted adapted = fit_lora(drawn.task, drawn.support, drawn.validation, kSeed);
    const TensorMap kept = adapted.classifier->tensors();
    for (const auto& [name, tensor] : kept)
      EXPECT_TRUE(name.ends_with(".lora_a") || name.ends_with(".lora_b") || name.starts_with("head.")) << name;
    EXPECT_GE(kept.size(), 4U);
    expect_untouched(drawn);
    expect_reloads(drawn, *adapted.classifier);
  }
}

TEST(Lora, GoesAsFarFromTheStartAsValidationLikes) {
  DrawnTask drawn(std::string(kVit) + kTextTower + "[[space]]\ndimension = 12\n", Items::pictures, 8);
  // Merged weights round otherwise in bf16.
  drawn.task.setting.precision = Precision::fp32;
  drawn.support = drawn.part_of(drawn.support.items);
  drawn.validation = drawn.part_of(drawn.validation.items);
  const Adapted adapted = fit_lora(drawn.task, drawn.support, drawn.validation, kSeed);
  ASSERT_EQ(adapted.curve.size(), 11U);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  const torch::Tensor& seen = head.input == "rows" ? drawn.validation.rows : drawn.validation.tower;
  EXPECT_EQ(adapted.curve.front().second, accuracy_of(head.logits(seen), drawn.validation.labels));
  const double alpha = adapted.chosen.at("alpha").get<double>();
  EXPECT_EQ(adapted.chosen.at("step").get<int>() > 0, alpha > 0);
  const Verdict chosen = judged(adapted.classifier->logits(drawn.validation), drawn.validation.labels);
  const auto point = std::find_if(adapted.curve.begin(), adapted.curve.end(),
                                  [&](const auto& one) { return one.first == alpha; });
  ASSERT_NE(point, adapted.curve.end());
  EXPECT_EQ(point->second, chosen.accuracy);
  EXPECT_LE(chosen.cross_entropy, judged(head.logits(seen), drawn.validation.labels).cross_entropy + 1e-6);
}

TEST(NetworkMethods, TheHeadLearnsAtItsOwnPace) {
  const DrawnTask drawn(kPictureTower, Items::pictures, 2);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  const auto moved = [&](double pace) {
    const TuningOptions options{
        .lrs = {1e-3}, .head_pace = pace, .prepare = [](Model&) { return std::vector<GroupRule>(); }};
    const TensorMap values =
        tune_network(drawn.task, drawn.support, drawn.validation, kSeed, head, options).values;
    EXPECT_FALSE(values.at("image.stem.weight").equal(drawn.before.at("image.stem.weight")));
    return (values.at("head.weight") - head.weight).abs().max().item<double>();
  };
  EXPECT_EQ(moved(0), 0);
  EXPECT_GT(moved(10), 2 * moved(1));
}

TEST(Lora, ChangesTheTowerThroughItsPartsAlone) {
  const DrawnTask drawn(kVit, Items::pictures, 8);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  std::int64_t learning = 0;
  const TuningOptions options{.lrs = {1e-2}, .prepare = [&](Model& model) {
                                for (const auto& parameter : model.parameters())
                                  parameter.set_requires_grad(false);
                                GroupRule rule;
                                rule.match = {"image.blocks"};
                                rule.low_rank = LowRank{.rank = 4, .alpha = 4, .dropout = .25};
                                add_low_rank(model, {rule}, 1);
                                learning = 0;
                                for (const auto& parameter : model.parameters())
                                  learning += parameter.requires_grad() ? 1 : 0;
                                return std::vector<GroupRule>();
                              }};
  const Tuned tuned = tune_network(drawn.task, drawn.support, drawn.validation, kSeed, head, options);
  EXPECT_EQ(static_cast<std::int64_t>(tuned.values.size()), learning + 2);
  EXPECT_EQ(tuned.start.at("image.blocks.0.mlp.up.lora_b").abs().max().item<double>(), 0);
  EXPECT_GT(tuned.values.at("image.blocks.0.mlp.up.lora_b").abs().max().item<double>(), 1e-3);
  const auto before = classifier_of(drawn.task, network_of(drawn.task, head, tuned.start, options));
  const auto after = classifier_of(drawn.task, network_of(drawn.task, head, tuned.values, options));
  EXPECT_GT((before->logits(drawn.asked) - after->logits(drawn.asked)).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(torch::allclose(before->logits(drawn.asked), head.logits(drawn.asked.tower), 1e-4, 1e-4));
}

TEST(Lora, RefusesATowerWithoutLinearMaps) {
  const DrawnTask drawn("[image]\nkind = \"convnet\"\nsize = 24\nstem = 8\nwidths = [8]\nmap = 0\n",
                        Items::pictures, 1);
  const Failure failure = failure_of([&] { fit_lora(drawn.task, drawn.support, drawn.validation, kSeed); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_THAT(failure.text, HasSubstr("image tower has no linear map"));
}

TEST(NetworkMethods, LearnFromOneShot) {
  const DrawnTask drawn(both_towers(), Items::pictures, 1, 2);
  ASSERT_EQ(drawn.support.items.size(), 2U);
  for (const FitMethod fit : {fit_lora, fit_fine_tune, fit_wise_ft}) {
    const Adapted adapted = fit(drawn.task, drawn.support, drawn.validation, kSeed);
    const torch::Tensor logits = adapted.classifier->logits(drawn.asked);
    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{40, 2}));
    EXPECT_TRUE(logits.isfinite().all().item<bool>());
  }
}

TEST(NetworkMethods, LearnFromTextsAndPairsOfThem) {
  for (const Items items : {Items::texts, Items::pairs}) {
    const DrawnTask drawn(kTextTower, items, 8);
    for (const FitMethod fit : {fit_lora, fit_fine_tune}) {
      const Adapted adapted = fit(drawn.task, drawn.support, drawn.validation, kSeed);
      expect_untouched(drawn);
      expect_reloads(drawn, *adapted.classifier);
      if (items == Items::texts) {
        EXPECT_GT(accuracy_of(adapted.classifier->logits(drawn.asked), drawn.answers), .8);
      }
    }
  }
}

TEST(NetworkMethods, AnswerAsTheStartWhereNothingLearnedIsBetter) {
  DrawnTask drawn(kPictureTower, Items::pictures, 2);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  // Labels that are the start's own answers, which a wild training forgets.
  drawn.validation.labels = head.logits(drawn.validation.tower).argmax(1);
  const TuningOptions wild{.lrs = {1e3}, .prepare = [](Model&) { return std::vector<GroupRule>(); }};
  const Tuned tuned = tune_network(drawn.task, drawn.support, drawn.validation, kSeed, head, wild);
  EXPECT_FALSE(tuned.at_best.better_than(tuned.at_start));
  const auto classifier = classifier_of(drawn.task, network_of(drawn.task, head, tuned.start, wild));
  EXPECT_TRUE(torch::allclose(classifier->logits(drawn.asked), head.logits(drawn.asked.tower), 1e-4, 1e-4));
}

TEST(NetworkMethods, StartFromTheNamesWhereTheseAreBetter) {
  DrawnTask drawn(both_towers(), Items::pictures, 1);
  EXPECT_EQ(starting_head(drawn.task, drawn.support, drawn.validation).from, "ridge on rows");
  // Names that tell all: the rows of each class are its vector.
  drawn.task.name_vectors = one_name_each(torch::eye(3, 12));
  drawn.validation.rows = torch::eye(3, 12).index_select(0, drawn.validation.labels);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  EXPECT_EQ(head.from, "names");
  EXPECT_FALSE(head.names.classes.defined());  // a linear map
  const torch::Tensor logits = head.logits(drawn.validation.rows);
  EXPECT_EQ(accuracy_of(logits, drawn.validation.labels), 1);
  EXPECT_LE((logits.amax(1) - logits.amin(1)).mean().item<double>(), 30 + 1e-3);  // some gradient is left
}

// Two names of the first class, far from each other: items lie near the one or the other, not near their mean.
NameVectors alternatives() {
  const torch::Tensor axes = torch::eye(4, 12);
  return {axes, torch::tensor({0, 0, 1, 2}, torch::kLong)};
}

HeadNames head_names(double softness) { return {alternatives().classes, softness}; }

// Near the first name of their class, or another one of it in turn.
torch::Tensor rows_near(const NameVectors& names, const torch::Tensor& labels) {
  std::vector<torch::Tensor> rows;
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    const torch::Tensor own = names.vectors.index({names.classes.eq(labels[i])});
    rows.push_back(own[i % own.size(0)]);
  }
  torch::manual_seed(4);
  const torch::Tensor near = torch::stack(rows) + .1 * torch::randn({labels.size(0), 12});
  return near / near.norm(2, 1, true);
}

TEST(NetworkMethods, StartWithTheLogitsOfZeroShot) {
  DrawnTask drawn(both_towers(), Items::pictures, 1);
  drawn.task.name_vectors = alternatives();
  drawn.validation.rows = rows_near(drawn.task.name_vectors, drawn.validation.labels);
  const TowerHead head = starting_head(drawn.task, drawn.support, drawn.validation);
  ASSERT_EQ(head.from, "names");
  const torch::Tensor told =
      name_logits(drawn.validation.rows, drawn.task.name_vectors, drawn.task.logit_scale);
  const double scale = calibrated_scale(told, drawn.validation.labels);
  EXPECT_GT(std::abs(scale - 1), .05);
  EXPECT_TRUE(torch::allclose(head.logits(drawn.validation.rows), told * scale, 1e-4, 1e-4));
}

TEST(NetworkMethods, LearnTheNamesOfAClassAndKeepThem) {
  DrawnTask drawn(both_towers(), Items::pictures, 8);
  const HeadNames named = head_names(.3);
  const TowerHead head{.input = "rows",
                       .weight = alternatives().vectors * 20,
                       .bias = torch::tensor({.5, 0., -.5}, torch::kFloat),
                       .names = named,
                       .mean = torch::zeros({12}),
                       .spread = .5,
                       .from = "names"};
  const TuningOptions options{.lrs = {2e-3}, .prepare = [](Model&) { return std::vector<GroupRule>(); }};
  const Tuned tuned = tune_network(drawn.task, drawn.support, drawn.validation, kSeed, head, options);
  EXPECT_TRUE(tuned.start.at("head.weight").equal(head.weight));
  EXPECT_EQ(tuned.values.at("head.weight").sizes(), head.weight.sizes());
  EXPECT_EQ(tuned.values.at("head.bias").sizes(), head.bias.sizes());
  for (const std::int64_t name : {0, 1, 2, 3})
    EXPECT_FALSE(tuned.values.at("head.weight")[name].equal(head.weight[name])) << name;
  const TunedNetwork network = network_of(drawn.task, head, tuned.start, options);
  const auto classifier = classifier_of(drawn.task, network);
  EXPECT_TRUE(torch::allclose(classifier->logits(drawn.asked), head.logits(drawn.asked.rows), 1e-4, 1e-4));
  expect_reloads(drawn, *classifier);
}

}  // namespace
}  // namespace duet
