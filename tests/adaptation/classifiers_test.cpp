#include "adaptation/classifiers.h"

#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/one_hot.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adaptation/smoothed_classifier.h"
#include "tensors/tensor_file.h"
#include "tests/support/failure.h"
#include "toy_features.h"

namespace duet {
namespace {

using testing::toy_task;

const TensorMap& golden() {
  static const TensorMap values = load_tensors(std::string(DUET_GOLDEN) + "/few_shot.safetensors");
  return values;
}

Part asked() {
  Part part;
  part.rows = golden().at("asked");
  part.tower = part.rows * 2;
  return part;
}

KeyCache golden_cache() {
  return {.keys = golden().at("support"),
          .values = at::one_hot(golden().at("labels"), 4).to(torch::kFloat),
          .names = one_name_each(golden().at("class_vectors")),
          .logit_scale = 20,
          .alpha = 1.17,
          .beta = 5.5};
}

FeatureAdapter golden_adapter() {
  return {.down = golden().at("adapter/down"),
          .up = golden().at("adapter/up"),
          .names = one_name_each(golden().at("class_vectors")),
          .logit_scale = 20,
          .ratio = .3};
}

double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Classifiers, TipAdapterAndClipAdapterGiveThePapersLogits) {
  EXPECT_LT(distance(cache_classifier(golden_cache())->logits(asked()), golden().at("tip/logits")), 1e-5);
  EXPECT_LT(distance(adapter_classifier(golden_adapter())->logits(asked()), golden().at("adapter/logits")),
            1e-5);
}

TEST(Classifiers, ZeroShotIsTheCosineTimesTheScale) {
  const auto toy = toy_task();
  const auto expected =
      at::cosine_similarity(toy.asked.rows.unsqueeze(1), toy.task.name_vectors.vectors.unsqueeze(0), 2);
  EXPECT_LT(distance(zero_shot_classifier(toy.task)->logits(toy.asked), expected * 20), 1e-4);
}

// Two names of a class are alternatives, in zero-shot and in a cache's part of the names.
NameVectors two_names_of_the_first() {
  const auto vectors = golden().at("class_vectors");
  return {vectors, torch::tensor({0, 0, 1, 2}, torch::kLong)};
}

NamesBlend golden_blend() {
  return {.map = {.weight = golden().at("class_vectors").narrow(0, 1, 3),
                  .bias = torch::tensor({.1F, .2F, .3F}),
                  .input = "rows"},
          .alpha = torch::tensor({1.F, .5F, 2.F}),
          .names = two_names_of_the_first(),
          .logit_scale = 20};
}

TEST(Classifiers, NamesOfAClassAreAlternatives) {
  const auto cosines = asked().rows.matmul(golden().at("class_vectors").t()) * 20;
  const auto either = cosines.narrow(1, 0, 2).exp().mean(1, true).log();
  const auto expected = torch::cat({either, cosines.narrow(1, 2, 2)}, 1);
  AdaptationTask task;
  task.name_vectors = two_names_of_the_first();
  task.logit_scale = 20;
  EXPECT_LT(distance(zero_shot_classifier(task)->logits(asked()), expected), 1e-4);
  KeyCache cache = golden_cache();
  cache.values = cache.values.narrow(1, 1, 3);
  KeyCache alone = cache;
  cache.names = two_names_of_the_first();
  alone.names = {};
  EXPECT_LT(distance(logits_of(cache, asked().rows) - logits_of(alone, asked().rows), expected), 1e-4);
  FeatureAdapter adapter = golden_adapter();
  adapter.ratio = 0;
  adapter.names = two_names_of_the_first();
  EXPECT_LT(distance(logits_of(adapter, asked().rows), expected), 1e-4);
  const auto blend = blend_classifier(golden_blend());
  const auto map = linear_classifier(golden_blend().map);
  EXPECT_LT(distance(blend->logits(asked()) - map->logits(asked()), expected * golden_blend().alpha), 1e-4);
}

TEST(Classifiers, ALinearMapReadsWhatItSays) {
  const auto part = asked();
  const auto width = part.rows.size(1);
  const auto map_on = [&](const std::string& input, std::int64_t columns) {
    return linear_classifier({.weight = torch::ones({1, columns}), .bias = torch::ones({1}), .input = input})
        ->logits(part)
        .squeeze(1);
  };
  const auto sum = part.rows.sum(1);
  EXPECT_LT(distance(map_on("rows", width), sum + 1), 1e-5);
  EXPECT_LT(distance(map_on("tower", width), sum * 2 + 1), 1e-5);
  EXPECT_LT(distance(map_on("both", 2 * width), sum * 3 + 1), 1e-5);
}

TEST(Classifiers, ACacheOfATowerAloneComparesUnitFeatures) {
  auto cache = golden_cache();
  const auto with_names = cache_classifier(cache)->logits(asked());
  cache.names = {};
  const auto alone = cache_classifier(cache)->logits(asked());
  const auto names = asked().rows.matmul(golden().at("class_vectors").t()) * 20;
  EXPECT_LT(distance(with_names - alone, names), 1e-5);
  cache.input = "tower";
  Part tower = asked();
  tower.rows = torch::Tensor();
  EXPECT_LT(distance(cache_classifier(cache)->logits(tower), alone), 1e-5);
}

TEST(Classifiers, SmoothedAnswersAreThePapers) {
  const auto &own = golden().at("laplacian/own"), &rows = golden().at("laplacian/rows");
  const Smoothing smoothing{.scale = 1, .strength = 2.5, .neighbours = 3};
  EXPECT_LT(distance(smoothed(own, rows, smoothing), golden().at("laplacian/logits")), 1e-5);
  EXPECT_LT(distance(smoothed(own * 4, rows, {.scale = .25, .strength = 2.5, .neighbours = 3}),
                     golden().at("laplacian/logits")),
            1e-5);
  EXPECT_GT(distance(own, golden().at("laplacian/logits")), .5);
}

// Two copies of one picture are each other's neighbours, not their own.
TEST(Classifiers, SmoothedItemsOfOneContentAgree) {
  const auto rows = torch::tensor({{1.F, 0.F}, {1.F, 0.F}, {0.F, 1.F}});
  const auto own = torch::tensor({{2.F, 0.F}, {0.F, .5F}, {0.F, 1.F}});
  const auto drawn = smoothed(own, rows, {.strength = 4, .neighbours = 1});
  EXPECT_GT(drawn[1][0].item<float>(), drawn[1][1].item<float>());
  EXPECT_TRUE(torch::equal(drawn[2], own[2]));  // whose nearest one is at a right angle
}

TEST(Classifiers, ASmoothedItemAloneHasItsOwnAnswer) {
  Part one = asked();
  one.rows = one.rows.narrow(0, 0, 1);
  const auto smooth = smoothed_classifier(cache_classifier(golden_cache()), {.scale = .5, .neighbours = 3});
  EXPECT_LT(distance(smooth->logits(one), cache_classifier(golden_cache())->logits(one) * .5), 1e-6);
  EXPECT_EQ(smooth->logits(asked()).sizes(), cache_classifier(golden_cache())->logits(asked()).sizes());
}

TEST(Classifiers, RowsThatTheModelHasNotAreNamed) {
  Part tower = asked();
  tower.rows = torch::Tensor();
  const auto failure = failure_of([&] { cache_classifier(golden_cache())->logits(tower); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_THAT(failure.text, ::testing::HasSubstr("retrieval embedding"));
}

TEST(Classifiers, EachIsMadeAgainFromWhatItSays) {
  std::vector<std::unique_ptr<Classifier>> all;
  all.push_back(linear_classifier(
      {.weight = golden().at("class_vectors"), .bias = torch::tensor({.1F, .2F, .3F, .4F}), .input = "tower"}));
  all.push_back(cache_classifier(golden_cache()));
  KeyCache alone = golden_cache();
  alone.names = {};
  alone.input = "tower";
  all.push_back(cache_classifier(alone));
  all.push_back(adapter_classifier(golden_adapter()));
  all.push_back(blend_classifier(golden_blend()));
  all.push_back(names_classifier(two_names_of_the_first(), 20));
  all.push_back(smoothed_classifier(cache_classifier(golden_cache()),
                                    {.scale = .3, .strength = 1.5, .neighbours = 2, .input = "tower"}));
  for (const auto& classifier : all) {
    const auto facts = nlohmann::json::parse(classifier->facts().dump());
    const auto again = make_classifier(classifier->kind(), facts, classifier->tensors());
    EXPECT_EQ(again->kind(), classifier->kind());
    EXPECT_TRUE(torch::equal(again->logits(asked()), classifier->logits(asked()))) << classifier->kind();
  }
}

TEST(Classifiers, WhatIsWrongInAFileIsNamed) {
  const auto cache = cache_classifier(golden_cache());
  const auto text = [&](std::string_view kind, const nlohmann::json& facts, const TensorMap& tensors) {
    const auto failure = failure_of([&] { make_classifier(kind, facts, tensors, "out"); });
    EXPECT_EQ(failure.exit, Exit::artifact);
    return failure.text;
  };
  TensorMap tensors = cache->tensors();
  tensors.erase("keys");
  EXPECT_THAT(text("cache", cache->facts(), tensors), ::testing::HasSubstr("out: has no tensor 'keys'"));
  tensors = cache->tensors();
  tensors["values"] = torch::ones({3, 4});
  EXPECT_THAT(text("cache", cache->facts(), tensors), ::testing::HasSubstr("tensor 'values' is [3, 4]"));
  nlohmann::json facts = cache->facts();
  facts.erase("beta");
  EXPECT_THAT(text("cache", facts, cache->tensors()), ::testing::HasSubstr("'beta'"));
  facts = cache->facts();
  facts["input"] = "pixels";
  EXPECT_THAT(text("cache", facts, cache->tensors()), ::testing::HasSubstr("'pixels'"));
  EXPECT_THAT(text("tree", cache->facts(), cache->tensors()), ::testing::HasSubstr("'tree'"));
  for (const auto& classes :
       {torch::tensor({1, 1, 2, 3}, torch::kLong), torch::tensor({0, 2, 2, 3}, torch::kLong),
        torch::tensor({0, 1, 2, 2}, torch::kLong), torch::ones({4})}) {
    tensors = cache->tensors();
    tensors["name_classes"] = classes;  // of the four that values are of
    EXPECT_THAT(text("cache", cache->facts(), tensors), ::testing::HasSubstr("'name_classes' is no list"));
  }
  const auto blend = blend_classifier(golden_blend());
  tensors = blend->tensors();
  tensors["alpha"] = torch::ones({4});
  EXPECT_THAT(text("blend", blend->facts(), tensors), ::testing::HasSubstr("'alpha' is [4]"));
  const auto smooth = smoothed_classifier(cache_classifier(golden_cache()), {});
  for (const auto& [key, value] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"of", nullptr}, {"of", {{"kind", "smoothed"}, {"classifier", smooth->facts()}}}, {"of", 3}}) {
    facts = smooth->facts();
    facts[key] = value;
    EXPECT_THAT(text("smoothed", facts, smooth->tensors()), ::testing::HasSubstr("what it builds on"));
  }
  facts = smooth->facts();
  facts["of"]["classifier"].erase("alpha");
  EXPECT_THAT(text("smoothed", facts, smooth->tensors()), ::testing::HasSubstr("'alpha'"));
  facts = smooth->facts();
  facts["neighbours"] = 0;
  EXPECT_THAT(text("smoothed", facts, smooth->tensors()), ::testing::HasSubstr("no neighbours"));
  const TensorMap bias_off{{"weight", torch::ones({3, 4})}, {"bias", torch::ones({4})}};
  EXPECT_THAT(text("linear", {{"input", "rows"}}, bias_off), ::testing::HasSubstr("'bias'"));
}

}  // namespace
}  // namespace duet
