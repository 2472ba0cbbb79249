// On the model that tests/run/golden keeps: a few steps on drawn shapes.
#include "evaluation/features.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include <fstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/image.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

class FeaturesOfModel : public ::testing::Test {
 protected:
  FeaturesOfModel() : saved_(load_saved_model(fs::path(DUET_RUN_GOLDEN) / "run-v1", "best", "cpu")) {
    setting_ = embed_setting_of(saved_);
    setting_.batch = 4;
  }

  Labelled pictures(int count) {
    Source source;
    source.manifest = "photos.csv";
    source.root = folder_.path();
    for (int i = 0; i < count; ++i) {
      const std::string name = cat(i, ".png");
      write_png(folder_ / name, drawing(i));
      source.pairs.push_back({.image = name});
    }
    return with_contents(unlabelled(source, false));
  }
  static Labelled with_contents(Labelled items) {
    items.groups.resize(items.source.pairs.size());
    for (const Pair& pair : items.source.pairs)
      items.contents.push_back(
          checksum(items.texts ? joined(pair.captions, "|") : read_file(items.source.path_of(pair))));
    return items;
  }
  static Image drawing(int i) {
    Image image = blank_image(24, 24);
    for (std::size_t at = 0; at < image.rgb.size(); ++at)
      image.rgb[at] = static_cast<std::uint8_t>((at * (7 + static_cast<std::size_t>(i))) % 251);
    return image;
  }
  static Labelled texts(const std::vector<std::vector<std::string>>& rows) {
    Source source;
    for (const auto& row : rows) source.pairs.push_back({.captions = row});
    return with_contents(unlabelled(source, true));
  }

  Features features(const Labelled& items) { return features_of(setting_, saved_, items, cache()); }
  fs::path cache() const { return folder_ / "cache"; }
  std::vector<fs::path> cached() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cache())) files.push_back(entry.path());
    return files;
  }

  TemporaryFolder folder_;
  SavedModel saved_;
  EmbedSetting setting_;
};

bool equal(const Features& a, const Features& b) {
  return at::equal(a.tower, b.tower) && at::equal(a.rows, b.rows) && a.bad == b.bad;
}

TEST_F(FeaturesOfModel, OfPictures) {
  const Labelled items = pictures(6);
  const Features found = features(items);
  EXPECT_EQ(found.tower.size(0), 6);
  EXPECT_EQ(found.tower.size(1), saved_.model->image->width());
  const EmbeddedImages plain = embed_images(setting_, items.source, true);
  EXPECT_TRUE(at::equal(found.tower, plain.features.narrow(1, 0, saved_.model->image->width())));
  EXPECT_TRUE(torch::allclose(found.rows, plain.rows, 0, 1e-6));
  EXPECT_LT((found.rows.norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(found.bad.empty());
}

TEST_F(FeaturesOfModel, AHitEqualsAMiss) {
  const Labelled items = pictures(6);
  const Features missed = features(items);
  ASSERT_EQ(cached().size(), 1u);
  // What lies there is what is used: not even the pictures are needed.
  for (const Pair& pair : items.source.pairs) fs::remove(items.source.path_of(pair));
  EXPECT_TRUE(equal(features(items), missed));
  EXPECT_EQ(cached().size(), 1u);
}

// All of them would have the same key.
TEST_F(FeaturesOfModel, WithoutContentsNothingIsKept) {
  Labelled items = pictures(3);
  items.contents.clear();
  EXPECT_EQ(features(items).tower.size(0), 3);
  EXPECT_FALSE(fs::exists(cache()));
}

TEST_F(FeaturesOfModel, WhatIsDifferentMisses) {
  Labelled items = pictures(4);
  features(items);
  write_png(folder_ / "2.png", drawing(99));
  items = with_contents(unlabelled(items.source, false));
  const Features changed = features(items);
  EXPECT_EQ(cached().size(), 2u);
  EXPECT_TRUE(equal(changed, features_of(setting_, saved_, items, {})));
  setting_.preprocessing.resize = "squash";
  features(items);
  EXPECT_EQ(cached().size(), 3u);
  saved_.identity = "another";
  features(items);
  EXPECT_EQ(cached().size(), 4u);
  features(subset(items, {1, 0, 2, 3}));  // another order
  EXPECT_EQ(cached().size(), 5u);
}

TEST_F(FeaturesOfModel, ADamagedFileIsComputedAnew) {
  const Labelled items = pictures(4);
  const Features whole = features(items);
  const fs::path file = cached().at(0);
  const std::string content = read_file(file);
  for (const std::size_t at : {std::size_t{3}, std::size_t{40}, content.size() / 2, content.size() - 1}) {
    for (const bool cut : {false, true}) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ 4);
      std::ofstream(file, std::ios::binary) << (cut ? damaged.substr(0, at) : damaged);
      set_verbosity(Verbosity::verbose);
      ::testing::internal::CaptureStderr();
      const Features again = features(items);
      EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("computed anew")) << at;
      set_verbosity(Verbosity::normal);
      EXPECT_TRUE(equal(again, whole));
      EXPECT_EQ(read_file(file), content);  // and kept
    }
  }
}

TEST_F(FeaturesOfModel, UnreadablePicturesAreRememberedAndLimited) {
  const Labelled items = pictures(4);
  std::ofstream(folder_ / "1.png") << "no picture";
  const Features missed = features(items);
  ASSERT_EQ(missed.bad.size(), 1u);
  EXPECT_EQ(missed.bad[0].first, 1);
  EXPECT_TRUE(equal(features(items), missed));
  EXPECT_EQ(cached().size(), 1u);
  setting_.bad_pictures.fraction = 0;
  const Failure failure = failure_of([&] { features(items); });
  EXPECT_EQ(failure.exit, Exit::data);
  EXPECT_THAT(failure.text, HasSubstr("1.png"));
}

TEST_F(FeaturesOfModel, OfTexts) {
  const Labelled items = texts({{"a small red circle"}, {"a big blue star"}, {"a heart"}});
  const Features found = features(items);
  EXPECT_EQ(found.tower.size(1), saved_.model->text->width());
  EXPECT_TRUE(
      at::equal(found.tower, text_features(setting_, {"a small red circle", "a big blue star", "a heart"})));
  EXPECT_LT((found.rows.norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(equal(features(items), found));
}

TEST_F(FeaturesOfModel, OfPairsOfTexts) {
  const Features found = features(texts({{"a small red circle", "a heart"}, {"a big blue star", "a star"}}));
  const torch::Tensor a = text_features(setting_, {"a small red circle", "a big blue star"}),
                      b = text_features(setting_, {"a heart", "a star"});
  EXPECT_TRUE(at::equal(found.tower, at::cat({a, b, (a - b).abs(), a * b}, 1)));
  EXPECT_FALSE(found.rows.defined());
  const Features again = features(texts({{"a small red circle", "a heart"}, {"a big blue star", "a star"}}));
  EXPECT_TRUE(at::equal(again.tower, found.tower));
  EXPECT_FALSE(again.rows.defined());
}

TEST_F(FeaturesOfModel, NothingIsKeptWhereItMayNotBe) {
  const Labelled items = texts({{"a heart"}, {"a star"}});
  const Failure failure = failure_of([&] { features_of(setting_, saved_, items, saved_.folder / "features"); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_THAT(failure.text, HasSubstr("sealed"));
  EXPECT_FALSE(fs::exists(saved_.folder / "features"));
  // A model in memory that `saved` does not name has no name to be found by.
  const SavedModel other = load_saved_model(fs::path(DUET_RUN_GOLDEN) / "run-v1", "best", "cpu");
  setting_.model = other.model.get();
  features(items);
  EXPECT_FALSE(fs::exists(cache()));
}

}  // namespace
}  // namespace duet
