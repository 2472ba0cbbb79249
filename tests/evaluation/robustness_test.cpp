#include "evaluation/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/format.h"

namespace duet {
namespace {

using testing::ElementsAre;

// Two kinds by hand. Sums of errors: model 2.0 and 1.0; baseline 4.0 and 2.5.
Robustness by_hand() {
  return {
      .kinds = {"pixelate", "jpeg"},
      .model = {.clean = .1, .corrupted = {{.2, .3, .4, .5, .6}, {.1, .1, .2, .3, .3}}},
      .baseline = CorruptionErrors{.clean = .4, .corrupted = {{.6, .7, .8, .9, 1.0}, {.4, .5, .5, .5, .6}}}};
}

TEST(Robustness, CorruptionErrorsAreSumsBySums) {
  const Robustness robustness = by_hand();
  EXPECT_NEAR(robustness.corruption_error(0, false), 2.0 / 4.0, 1e-12);
  EXPECT_NEAR(robustness.corruption_error(1, false), 1.0 / 2.5, 1e-12);
  EXPECT_NEAR(robustness.mean_corruption_error(false), .45, 1e-12);
  // Relative: what is lost, (2.0 - 5 * .1) / (4.0 - 5 * .4) and (1.0 - .5) / (2.5 - 2.0).
  EXPECT_NEAR(robustness.corruption_error(0, true), 1.5 / 2.0, 1e-12);
  EXPECT_NEAR(robustness.corruption_error(1, true), .5 / .5, 1e-12);
  EXPECT_NEAR(robustness.mean_corruption_error(true), .875, 1e-12);
  EXPECT_NEAR(robustness.model.mean(), .3, 1e-12);
}

TEST(Robustness, WithoutBaselineOrItsErrorsThereIsNoRatio) {
  Robustness robustness = by_hand();
  robustness.baseline->corrupted[1] = {.4, .4, .4, .4, .4};  // it loses nothing by JPEG
  EXPECT_TRUE(std::isnan(robustness.corruption_error(1, true)));
  EXPECT_NEAR(robustness.mean_corruption_error(true), 1.5 / 2.0, 1e-12);  // of the others
  robustness.baseline.reset();
  EXPECT_TRUE(std::isnan(robustness.corruption_error(0, false)));
  EXPECT_TRUE(std::isnan(robustness.mean_corruption_error(false)));
}

TEST(Robustness, JsonTellsSharesOfRightAnswers) {
  const nlohmann::json all = to_json(by_hand(), "top_1");
  EXPECT_NEAR(all["kinds"]["jpeg"]["top_1"][2].get<double>(), .8, 1e-12);
  EXPECT_NEAR(all["kinds"]["jpeg"]["baseline_top_1"][4].get<double>(), .4, 1e-12);
  EXPECT_NEAR(all["kinds"]["pixelate"]["mean_top_1"].get<double>(), .6, 1e-12);
  EXPECT_NEAR(all["clean_top_1"].get<double>(), .9, 1e-12);
  EXPECT_NEAR(all["mean_corruption_error"].get<double>(), .45, 1e-12);
  Robustness alone = by_hand();
  alone.baseline.reset();
  EXPECT_FALSE(to_json(alone, "recall_at_1").contains("mean_corruption_error"));
}

// Pictures of one grey each, 10, 20 ...
Source greys(int rows) {
  Source source;
  for (int row = 0; row < rows; ++row) source.pairs.push_back({.image = cat(row, ".png")});
  source.draw = [](std::int64_t row) { return blank_image(20, 10, static_cast<std::uint8_t>(10 * row + 10)); };
  return source;
}

EmbedSetting squashed() {
  EmbedSetting setting;
  setting.preprocessing.size = 16;
  setting.preprocessing.resize = "squash";
  return setting;
}

TEST(Robustness, AsksAboutTheSamePicturesCorrupted) {
  const EmbedSetting setting = squashed();
  const Source source = greys(3);
  std::vector<std::vector<Image>> asked;
  const Robustness robustness = measure_robustness(
      setting, source, {"contrast", "brightness"}, [&](const Source& pictures) -> ErrorsOfBoth {
        asked.emplace_back();
        for (int row = 0; row < 3; ++row) asked.back().push_back(pictures.draw(row));
        return {.model = .01 * static_cast<double>(asked.size()), .baseline = .5};
      });
  ASSERT_EQ(asked.size(), 11u);
  EXPECT_EQ(asked[0][2].width, 16);
  EXPECT_EQ(asked[0][2].rgb.front(), 30);
  EXPECT_EQ(asked[5][2].rgb, asked[0][2].rgb);  // contrast leaves one grey as it is
  EXPECT_EQ(asked[6][2].rgb.front(), 56);       // 25.5 brighter
  EXPECT_EQ(asked[10][0].rgb.front(), 138);     // 127.5 brighter
  EXPECT_NEAR(robustness.model.clean, .01, 1e-12);
  EXPECT_THAT(robustness.model.corrupted[1], ElementsAre(.07, .08, .09, .10, .11));
  EXPECT_EQ(robustness.baseline->corrupted.size(), 2u);
  const std::vector<Image> example = corrupted_example(setting, source, {"contrast", "brightness"}, 5);
  ASSERT_EQ(example.size(), 3u);
  EXPECT_EQ(example[2].rgb, asked[10][0].rgb);
}

// Dark pictures against bright ones: the pixels alone tell.
TEST(Robustness, BaselineLearnsFromPixels) {
  const auto labelled = [](int rows) {
    Labelled items{.source = greys(rows), .classes = {"bright", "dark"}};
    for (int row = 0; row < rows; ++row) items.labels.push_back({row < rows / 2 ? 1 : 0});
    items.contents.resize(static_cast<std::size_t>(rows));
    items.groups.resize(static_cast<std::size_t>(rows));
    return items;
  };
  const EmbedSetting setting = squashed();
  const PixelBaseline baseline(setting, labelled(20), labelled(20));
  EXPECT_EQ(baseline.error(setting, greys(20), labelled(20)), 0);
  const auto bright = [](std::int64_t) { return blank_image(20, 10, 250); };
  Source all_bright = greys(20);
  all_bright.draw = bright;
  EXPECT_EQ(baseline.error(setting, all_bright, labelled(20)), .5);
  EXPECT_EQ(baseline.chosen()["input"], "tower");
}

}  // namespace
}  // namespace duet
