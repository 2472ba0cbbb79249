#include "adaptation/network_classifier.h"

#include <ATen/ops/linear.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "adaptation/classifiers.h"
#include "adaptation/methods/kinds.h"
#include "drawn_task.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

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

TEST(NetworkClassifier, RefusesNamesThatDoNotFit) {
  const DrawnTask drawn(both_towers(), Items::pictures, 1);
  const HeadNames named{torch::tensor({0, 0, 1, 2}, torch::kLong), .5};
  const NetworkParts parts{.model = drawn.saved.model,
                           .weight = torch::eye(4, 12),
                           .bias = torch::zeros({3}),
                           .names = named,
                           .input = "rows"};
  const auto classifier = network_classifier(parts, drawn.task);
  EXPECT_EQ(classifier->logits(drawn.asked).sizes(), (std::vector<std::int64_t>{60, 3}));
  const auto refusal = [&](const torch::Tensor& classes, double softness = .5) {
    TensorMap tensors = classifier->tensors();
    tensors["head.classes"] = classes;
    nlohmann::json facts = classifier->facts();
    facts["softness"] = softness;
    const Failure failure =
        failure_of([&] { make_network_classifier(facts, tensors, drawn.saved, drawn.task.setting); });
    EXPECT_EQ(failure.exit, Exit::artifact);
    return failure.text;
  };
  const auto list = [](std::vector<std::int64_t> classes) { return torch::tensor(classes, torch::kLong); };
  for (const auto& wrong : {list({0, 1, 0, 2}), list({1, 1, 2, 3}), list({0, 0, 2, 2}), torch::zeros({4}),
                            list({}), torch::zeros({2, 2}, torch::kLong)})
    EXPECT_THAT(refusal(wrong), HasSubstr("head.classes is no list of the classes"));
  for (const auto& wrong : {list({0, 1, 2}), list({0, 0, 1, 1})})
    EXPECT_THAT(refusal(wrong), HasSubstr("has no shape that one can have"));
  for (const double wrong : {0., -1.}) EXPECT_THAT(refusal(named.classes, wrong), HasSubstr("softness is"));
}

TEST(HeadLogits, OneNameAClassIsALinearMapAtAnySoftness) {
  torch::manual_seed(2);
  const torch::Tensor x = torch::randn({7, 5}), weight = torch::randn({3, 5}), bias = torch::randn({3});
  const torch::Tensor linear = head_logits(x, weight, bias, {});
  EXPECT_TRUE(linear.equal(at::linear(x, weight, bias)));
  for (const double softness : {.1, 1., 8.})
    EXPECT_TRUE(
        torch::allclose(head_logits(x, weight, bias, {torch::arange(3), softness}), linear, 1e-5, 1e-5));
}

TEST(HeadLogits, SoftnessGoesFromTheLikeliestNameToTheirMean) {
  const torch::Tensor x = torch::ones({1, 1}), weight = torch::tensor({{3.}, {1.}, {2.}}, torch::kFloat),
                      bias = torch::tensor({0., 10.}, torch::kFloat),
                      classes = torch::tensor({0, 0, 1}, torch::kLong);
  const auto first = [&](double softness) {
    const torch::Tensor logits = head_logits(x, weight, bias, {classes, softness});
    EXPECT_NEAR(logits[0][1].item<double>(), 12, 1e-5);
    return logits[0][0].item<double>();
  };
  EXPECT_NEAR(first(1e-3), 3, 1e-2);
  EXPECT_NEAR(first(1), std::log((std::exp(3) + std::exp(1)) / 2), 1e-5);
  EXPECT_NEAR(first(1e3), 2, 1e-2);
}

TEST(NetworkClassifier, IsWrittenAsAModelThatLoads) {
  const TemporaryFolder folder;
  const DrawnTask drawn(both_towers(), Items::pictures, 4);
  const Adapted adapted = fit_fine_tune(drawn.task, drawn.support, drawn.validation, kSeed);
  write_adapted_model(folder.path(), *adapted.classifier, drawn.saved);
  const SavedModel loaded = load_saved_model(folder.path(), "best", "cpu");
  TensorMap expected = adapted.classifier->tensors();
  for (const auto& [name, tensor] : tensors_of(*loaded.model))
    EXPECT_TRUE(tensor.equal(expected.at(name))) << name;
  EXPECT_EQ(loaded.texts().vocabulary(), drawn.saved.tokenizer->vocabulary());
  EXPECT_THAT(failure_of([&] { write_adapted_model(folder.path(), *adapted.classifier, drawn.saved); }).text,
              HasSubstr("is there already"));
  const auto linear = linear_classifier({torch::zeros({3, 4}), torch::zeros({3}), "tower"});
  EXPECT_THAT(failure_of([&] { write_adapted_model(folder / "other", *linear, drawn.saved); }).text,
              HasSubstr("changed no tower"));
}

TEST(NetworkClassifier, MergesLowRankPartsIntoTheWrittenModel) {
  const TemporaryFolder folder;
  const DrawnTask drawn(std::string(kVit) + kTextTower, Items::pictures, 4);
  const Adapted adapted = fit_lora(drawn.task, drawn.support, drawn.validation, kSeed);
  write_adapted_model(folder.path(), *adapted.classifier, drawn.saved);
  const SavedModel loaded = load_saved_model(folder.path(), "best", "cpu");
  TensorMap parts = adapted.classifier->tensors();
  std::erase_if(parts, [](const auto& item) { return item.first.starts_with("head."); });
  const auto merged = copy_of(*drawn.saved.model, torch::kCPU);
  merge_parts(*merged, parts, "test");
  const TensorMap expected = tensors_of(*merged);
  for (const auto& [name, tensor] : tensors_of(*loaded.model))
    EXPECT_TRUE(tensor.equal(expected.at(name))) << name;
}

TEST(NetworkClassifier, RefusesTensorsOfAnotherModelAndOtherItems) {
  const DrawnTask pictures(kPictureTower, Items::pictures, 1), vit(kVit, Items::pictures, 1);
  const Adapted adapted = fit_fine_tune(pictures.task, pictures.support, pictures.validation, kSeed);
  const auto load = [&](const TensorMap& tensors, const DrawnTask& drawn) {
    return failure_of([&] {
      make_network_classifier(adapted.classifier->facts(), tensors, drawn.saved, drawn.task.setting);
    });
  };
  EXPECT_EQ(load(adapted.classifier->tensors(), vit).exit, Exit::artifact);
  TensorMap headless = adapted.classifier->tensors();
  headless.erase("head.bias");
  EXPECT_THAT(load(headless, pictures).text, HasSubstr("without head.bias"));
  const DrawnTask texts(kTextTower, Items::texts, 2), pairs(kTextTower, Items::pairs, 2);
  const Adapted single = fit_fine_tune(texts.task, texts.support, texts.validation, kSeed);
  EXPECT_THAT(failure_of([&] { single.classifier->logits(pairs.asked); }).text,
              HasSubstr("the classifier was made for 16"));
}

}  // namespace
}  // namespace duet
