#include "evaluation/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace duet {
namespace {

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
      setting, source, {"contrast", "brightness"}, {"a", "b", "b"}, [&](const Source& pictures) -> WrongOfBoth {
        asked.emplace_back();
        for (int row = 0; row < 3; ++row) asked.back().push_back(pictures.draw(row));
        const auto share = .01 * static_cast<double>(asked.size());
        return {.model = {share, share, share}, .baseline = std::vector{0., .5, 1.}};
      });
  ASSERT_EQ(asked.size(), 11u);
  EXPECT_EQ(asked[0][2].width, 16);
  EXPECT_EQ(asked[0][2].rgb.front(), 30);
  EXPECT_EQ(asked[5][2].rgb, asked[0][2].rgb);  // contrast leaves one grey as it is
  EXPECT_EQ(asked[6][2].rgb.front(), 56);       // 25.5 brighter
  EXPECT_EQ(asked[10][0].rgb.front(), 138);     // 127.5 brighter
  EXPECT_NEAR(robustness.model.clean, .01, 1e-12);
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(robustness.model.corrupted[1][i], .07 + .01 * static_cast<double>(i), 1e-12);
  EXPECT_EQ(robustness.baseline->corrupted.size(), 2u);
  EXPECT_EQ(robustness.baseline->clean, .5);
  const std::vector<Image> example = corrupted_example(setting, source, {"contrast", "brightness"}, 5);
  ASSERT_EQ(example.size(), 3u);
  EXPECT_EQ(example[2].rgb, asked[10][0].rgb);
}

// Answers by hand about 200 items in groups of ten: clean, then at five strengths of one kind, the model gets 2
// to 7 wrong in every second ten, the baseline 4 to 9 in each.
Robustness measured(const std::vector<std::string>& groups, bool baseline) {
  const EmbedSetting setting = squashed();
  int round = 0;
  return measure_robustness(setting, greys(1), {"contrast"}, groups, [&](const Source&) -> WrongOfBoth {
    WrongOfBoth wrong;
    if (baseline) wrong.baseline.emplace();
    for (int item = 0; item < 200; ++item) {
      wrong.model.push_back(item / 10 % 2 == 0 && item % 10 < 2 + round ? 1 : 0);
      if (baseline) wrong.baseline->push_back(item % 10 < 4 + round ? 1 : 0);
    }
    ++round;
    return wrong;
  });
}

TEST(Robustness, IntervalsAreOverGroups) {
  std::vector<std::string> tens, single;
  for (int item = 0; item < 200; ++item) {
    tens.push_back(cat(item / 10));
    single.push_back(cat(item));
  }
  const Robustness grouped = measured(tens, true), alone = measured(single, true);
  EXPECT_NEAR(grouped.mean_corruption_error(false), 2.5 / 7, 1e-12);
  EXPECT_NEAR(grouped.mean_corruption_error(true), 1.5 / 3, 1e-12);
  ASSERT_TRUE(grouped.interval && grouped.relative_interval && alone.interval);
  // Of 20 tens drawn n have errors of the model, in 95 % of cases 6 to 14 of them: n / 20 times 5 / 7, or 3
  // / 3.
  constexpr double kStep = .0501;
  EXPECT_NEAR(grouped.interval->low, .3 * 5 / 7, kStep * 5 / 7);
  EXPECT_NEAR(grouped.interval->high, .7 * 5 / 7, kStep * 5 / 7);
  EXPECT_NEAR(grouped.relative_interval->low, .3, kStep);
  EXPECT_NEAR(grouped.relative_interval->high, .7, kStep);
  EXPECT_LT(alone.interval->high - alone.interval->low, .6 * (grouped.interval->high - grouped.interval->low));
  const nlohmann::json all = to_json(grouped, "top_1");
  EXPECT_EQ(all["mean_corruption_error_interval"],
            nlohmann::json({grouped.interval->low, grouped.interval->high}));
  EXPECT_FALSE(measured({}, false).interval);
}

// By the second kind the baseline loses in one half what it gains in the other: nothing, but for the draw.
TEST(Robustness, AKindThatHasNoRatioHasNoneInAnyDraw) {
  const EmbedSetting setting = squashed();
  std::vector<std::string> groups;
  for (int item = 0; item < 40; ++item) groups.push_back(cat(item));
  const auto with = [&](const std::vector<std::string>& kinds) {
    int round = 0;
    return measure_robustness(setting, greys(1), kinds, groups, [&](const Source&) -> WrongOfBoth {
      WrongOfBoth wrong{.model = {}, .baseline = std::vector<double>()};
      const bool clean = round == 0, second = round > 5;
      for (int item = 0; item < 40; ++item) {
        wrong.model.push_back(item % 4 == 0 && !clean ? 1 : 0);
        wrong.baseline->push_back((second ? item < 20 : item >= 20 || (!clean && item % 2 == 0)) ? 1 : 0);
      }
      ++round;
      return wrong;
    });
  };
  const Robustness one = with({"contrast"}), both = with({"contrast", "brightness"});
  EXPECT_TRUE(std::isnan(both.corruption_error(1, true)));
  EXPECT_EQ(both.mean_corruption_error(true), one.mean_corruption_error(true));
  ASSERT_TRUE(one.relative_interval && both.relative_interval);
  EXPECT_EQ(both.relative_interval->low, one.relative_interval->low);
  EXPECT_EQ(both.relative_interval->high, one.relative_interval->high);
  EXPECT_NE(both.interval->high, one.interval->high);
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
  EXPECT_EQ(baseline.wrong(setting, greys(20), labelled(20)), std::vector<double>(20, 0));
  const auto bright = [](std::int64_t) { return blank_image(20, 10, 250); };
  Source all_bright = greys(20);
  all_bright.draw = bright;
  std::vector<double> dark_ones(20, 0);
  std::fill_n(dark_ones.begin(), 10, 1);
  EXPECT_EQ(baseline.wrong(setting, all_bright, labelled(20)), dark_ones);
  EXPECT_EQ(baseline.chosen()["input"], "tower");
}

}  // namespace
}  // namespace duet
