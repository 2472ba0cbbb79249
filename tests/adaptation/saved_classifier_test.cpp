#include "adaptation/saved_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adaptation/classifiers.h"
#include "adaptation/network_classifier.h"
#include "core/files.h"
#include "evaluation/features.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kNames = {"árvore", "boat", "cat"};

// Texts for the stored run of four steps.
class SavedClassifierTest : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    saved_ = load_saved_model(fs::path(DUET_RUN_GOLDEN) / "run-v1", "best", "cpu");
    setting_ = embed_setting_of(saved_);
    Source source;
    for (const char* text : {"a red circle", "a big blue star", "two green squares", "a circle"})
      source.pairs.push_back({.captions = {text}});
    texts_ = unlabelled(std::move(source), true);
    const Features features = features_of(setting_, saved_, texts_, {});
    asked_ = {
        .data = &texts_, .items = {0, 1, 2, 3}, .tower = features.tower, .rows = features.rows, .labels = {}};
  }
  static torch::Tensor unit(const torch::Tensor& rows) { return rows / rows.norm(2, 1, true); }
  torch::Tensor draw(std::int64_t rows, std::int64_t columns) { return torch::randn({rows, columns}); }
  std::int64_t width() const { return asked_.rows.size(1); }

  // Saved, loaded and asked again.
  void expect_kept(std::unique_ptr<Classifier> classifier) {
    const std::string name(classifier->kind());
    const torch::Tensor before = classifier->logits(asked_);
    const SavedClassifier kept{.classifier = std::move(classifier),
                               .method = "method of " + name,
                               .classes = kNames,
                               .calibration = 2.5,
                               .items = kind_of_items(texts_)};
    save_classifier(folder_ / name, kept, saved_);
    for (const fs::path& place : {folder_ / name, folder_ / name / "classifier"}) {
      const SavedClassifier loaded = load_classifier(place, saved_, setting_);
      EXPECT_TRUE(loaded.classifier->logits(asked_).equal(before)) << name;
      EXPECT_EQ(loaded.classifier->kind(), name);
      EXPECT_EQ(loaded.method, "method of " + name);
      EXPECT_EQ(loaded.classes, kNames);
      EXPECT_EQ(loaded.calibration, 2.5);
      EXPECT_EQ(loaded.items, "texts");
    }
  }
  std::unique_ptr<Classifier> linear() {
    return linear_classifier({.weight = draw(3, width()), .bias = torch::randn({3}), .input = "rows"});
  }
  void save_linear(const fs::path& place) {
    save_classifier(place, {.classifier = linear(), .method = "ridge", .classes = kNames}, saved_);
  }

  TemporaryFolder folder_;
  SavedModel saved_;
  EmbedSetting setting_;
  Labelled texts_;
  Part asked_;
};

TEST_F(SavedClassifierTest, EveryKindAnswersAsBefore) {
  expect_kept(linear());
  expect_kept(names_classifier({unit(draw(4, width())), torch::tensor({0, 0, 1, 2}, torch::kLong)}, 20));
  expect_kept(cache_classifier({.keys = unit(draw(6, width())),
                                .values = torch::eye(3).repeat({2, 1}),
                                .names = {unit(draw(4, width())), torch::tensor({0, 1, 1, 2}, torch::kLong)},
                                .logit_scale = 20,
                                .alpha = .7,
                                .beta = 3}));
  expect_kept(adapter_classifier({.down = draw(2, width()),
                                  .up = draw(width(), 2),
                                  .names = one_name_each(unit(draw(3, width()))),
                                  .logit_scale = 20,
                                  .ratio = .4}));
  const std::shared_ptr<Model> tuned = copy_of(*saved_.model, saved_.device);
  {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor parameter : tuned->text->parameters()) parameter.add_(torch::randn_like(parameter), .05);
  }
  AdaptationTask task;
  task.classes = 3;
  task.saved = &saved_;
  task.setting = setting_;
  const HeadNames names{torch::tensor({0, 0, 1, 2}, torch::kLong), .6};
  auto network = network_classifier(
      {.model = tuned, .weight = draw(4, width()), .bias = torch::randn({3}), .names = names, .input = "rows"},
      task);
  EXPECT_FALSE(network->logits(asked_).isnan().any().item<bool>());
  expect_kept(std::move(network));
}

TEST_F(SavedClassifierTest, NoChangedByteIsUsed) {
  save_linear(folder_ / "birds");
  for (const char* name : {"manifest.json", "classifier.safetensors"}) {
    const fs::path file = folder_ / "birds" / "classifier" / name;
    const std::string whole = read_file(file);
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 16) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 4);
      write_file(file, changed);
      EXPECT_EQ(failure_of([&] { load_classifier(folder_ / "birds", saved_, setting_); }).exit, Exit::artifact)
          << name << " changed at " << at;
    }
    write_file(file, whole);
  }
  EXPECT_NO_THROW(load_classifier(folder_ / "birds", saved_, setting_));
}

TEST_F(SavedClassifierTest, AnotherModelsIsRefused) {
  save_linear(folder_ / "birds");
  SavedModel other = saved_;
  other.identity = "0123456789abcdef";
  const Failure refused = failure_of([&] { load_classifier(folder_ / "birds", other, setting_); });
  EXPECT_EQ(refused.exit, Exit::usage);
  EXPECT_THAT(refused.text, HasSubstr(saved_.identity));
  EXPECT_THAT(refused.text, HasSubstr("0123456789abcdef"));
}

TEST_F(SavedClassifierTest, NothingIsOverwrittenAndOtherFoldersAreNoClassifiers) {
  save_linear(folder_ / "birds");
  EXPECT_EQ(failure_of([&] { save_linear(folder_ / "birds"); }).exit, Exit::usage);
  EXPECT_EQ(failure_of([&] { load_classifier(saved_.folder, saved_, setting_); }).exit, Exit::artifact);
  EXPECT_EQ(failure_of([&] { load_classifier(folder_ / "gone", saved_, setting_); }).exit, Exit::artifact);
}

}  // namespace
}  // namespace duet
