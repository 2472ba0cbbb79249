#include "adaptation/few_shot_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

// Ten items of five concepts, two each.
const std::vector<std::string> kGroups = {"a", "a", "b", "b", "c", "c", "d", "d", "e", "e"};

FewShotRow row_of(const std::string& method, std::int64_t shots, std::uint64_t seed, const std::string& right,
                  bool falls_back = false) {
  return {.method = method,
          .shots = shots,
          .seed = seed,
          .falls_back = falls_back,
          .right = right,
          .seconds = static_cast<double>(seed),
          .identity = "i"};
}

const std::vector<FewShotRow> kRows = {
    row_of(kZeroShot, 0, 0, "1111000000"),     row_of("ridge", 1, 1, "1111110000"),
    row_of("ridge", 1, 2, "1100000000", true), row_of("ridge", 4, 1, "1111111111"),
    row_of("ridge", 4, 2, "1111111111"),       row_of("tip_adapter", 1, 1, "1111111100"),
};

FewShotTable table_of(bool fallback, const std::vector<FewShotRow>& rows = kRows,
                      const std::string& against = kZeroShot) {
  std::vector<const FewShotRow*> pointers;
  for (const FewShotRow& row : rows) pointers.push_back(&row);
  return few_shot_table(pointers, {"tip_adapter", "ridge", "coop"}, kGroups, fallback, against);
}

TEST(FewShotTable, MeansAreOverSeedsAndItems) {
  const FewShotTable table = table_of(false);
  EXPECT_EQ(table.items, 10);
  EXPECT_EQ(table.groups, 5);
  EXPECT_EQ(table.shots, (std::vector<std::int64_t>{1, 4}));
  ASSERT_EQ(table.lines.size(), 2u);  // no row of coop
  EXPECT_EQ(table.lines[0].method, "tip_adapter");
  EXPECT_DOUBLE_EQ(table.zero_shot->accuracy.mean, .4);
  EXPECT_FALSE(table.zero_shot->difference);
  const FewShotCell& cell = *table.lines[1].at(1);
  EXPECT_EQ(cell.seeds, 2);
  EXPECT_EQ(cell.fell_back, 0);
  EXPECT_DOUBLE_EQ(cell.accuracy.mean, .4);
  EXPECT_NEAR(cell.difference->mean, 0, 1e-12);
  EXPECT_DOUBLE_EQ(cell.seconds, 1.5);
  EXPECT_EQ(table.lines[0].at(4), nullptr);
  EXPECT_DOUBLE_EQ(table.lines[1].at(4)->accuracy.low, 1);
  EXPECT_GT(table.lines[1].at(4)->difference->low, 0);
}

TEST(FewShotTable, ZeroShotCountsWhereItFellBack) {
  const FewShotCell cell = *table_of(true).lines[1].at(1);
  EXPECT_EQ(cell.fell_back, 1);
  EXPECT_DOUBLE_EQ(cell.accuracy.mean, .5);
  EXPECT_NEAR(cell.difference->mean, .1, 1e-12);
}

// Concepts are drawn whole: of a single seed all 5^5 resamples are known.
TEST(FewShotTable, IntervalsAreThoseOfAllResamples) {
  const SampledMean found = table_of(false).lines[0].at(1)->accuracy;  // concepts: 1 1 1 1 0
  std::map<int, int> resamples;                                         // right concepts of five -> how often
  for (int code = 0; code < 3125; ++code) {
    int right = 0;
    for (int draw = 0, rest = code; draw < 5; ++draw, rest /= 5) right += rest % 5 != 4;
    ++resamples[right];
  }
  // P(right <= 1) = .0067, P(right <= 2) = .058, P(right = 5) = .33
  EXPECT_LT(resamples[0] + resamples[1], .025 * 3125);
  EXPECT_GT(resamples[0] + resamples[1] + resamples[2], .025 * 3125);
  EXPECT_DOUBLE_EQ(found.low, .4);
  EXPECT_DOUBLE_EQ(found.high, 1);
}

TEST(FewShotTable, RowsOfAnotherTestAreRefused) {
  std::vector<FewShotRow> rows = kRows;
  rows[1].right += "1";
  EXPECT_EQ(failure_of([&] { table_of(true, rows); }).exit, Exit::usage);
}

TEST(FewShotTable, IsToldInTextCsvLatexAndJson) {
  const FewShotTable table = table_of(true);
  const std::string text = to_text(table);
  EXPECT_THAT(text, HasSubstr("zero_shot    0.400 ±"));
  EXPECT_THAT(text, HasSubstr("1.000 ±0.000"));
  EXPECT_THAT(text, HasSubstr("accuracy on 10 test items, mean over 2 seeds"));
  EXPECT_THAT(text, HasSubstr("(5 concepts)"));
  EXPECT_THAT(text, HasSubstr("1 of 5 fits"));
  EXPECT_THAT(to_text(table_of(false)), Not(HasSubstr("zero-shot counts")));
  const std::string csv = to_csv(table);
  EXPECT_THAT(csv, HasSubstr("\nzero_shot,0,1,10,0.400000,"));
  EXPECT_THAT(csv, HasSubstr("\nridge,4,2,10,1.000000,1.000000,1.000000,zero_shot,0.600000,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 5);
  EXPECT_THAT(to_latex(table), HasSubstr("tip\\_adapter & "));
  const nlohmann::json json = to_json(table);
  EXPECT_EQ(json["methods"]["ridge"].size(), 2u);
  EXPECT_EQ(json["methods"]["ridge"][0]["fell_back"], 1);
  EXPECT_DOUBLE_EQ(json["zero_shot"]["accuracy"], .4);
  EXPECT_FALSE(json["zero_shot"].contains("difference"));
}

// Of the same seeds and items, at the same shots; by hand.
TEST(FewShotTable, DifferencesAreFromTheMethodThatIsNamed) {
  const FewShotTable table = table_of(false, kRows, "ridge");
  const FewShotCell& cell = *table.lines[0].at(1);  // tip_adapter: seed 1 alone, eight right against six
  ASSERT_TRUE(cell.difference);
  EXPECT_NEAR(cell.difference->mean, .2, 1e-12);
  EXPECT_DOUBLE_EQ(cell.difference->low, 0);  // one of five concepts
  for (const FewShotCell& own : table.lines[1].cells) EXPECT_FALSE(own.difference);
  const nlohmann::json json = to_json(table);
  EXPECT_EQ(json["against"], "ridge");
  EXPECT_NEAR(json["methods"]["tip_adapter"][0]["difference"], .2, 1e-12);
  EXPECT_FALSE(json["methods"]["ridge"][0].contains("difference"));
  EXPECT_THAT(to_text(table), Not(HasSubstr("over ridge")));
  EXPECT_THAT(to_text(table, true), HasSubstr("over ridge"));
  EXPECT_THAT(to_text(table, true), HasSubstr("+0.200 [+0.000, "));
  EXPECT_THAT(to_html(page_of(table)), HasSubstr("over ridge"));
  // The counted answers of both: where ridge fell back, it is zero-shot that is compared with.
  std::vector<FewShotRow> rows = kRows;
  rows.push_back(row_of("tip_adapter", 1, 2, "1111110000"));
  EXPECT_NEAR(table_of(false, rows, "ridge").lines[0].at(1)->difference->mean, .3, 1e-12);
  EXPECT_NEAR(table_of(true, rows, "ridge").lines[0].at(1)->difference->mean, .2, 1e-12);
}

TEST(FewShotTable, PIsAdjustedForTheMethodsOfAColumn) {
  const FewShotTable table = table_of(false);
  const FewShotCell &tip = *table.lines[0].at(1), &ridge = *table.lines[1].at(1),
                    &alone = *table.lines[1].at(4);
  const std::vector<double> adjusted = holm_adjusted(std::vector{tip.difference->p, ridge.difference->p});
  EXPECT_DOUBLE_EQ(tip.holm_p, adjusted[0]);
  EXPECT_GT(tip.holm_p, tip.difference->p);
  EXPECT_DOUBLE_EQ(ridge.holm_p, adjusted[1]);
  EXPECT_DOUBLE_EQ(alone.holm_p, alone.difference->p);  // no other method has a row there
  EXPECT_DOUBLE_EQ(to_json(table)["methods"]["tip_adapter"][0]["holm_p"], tip.holm_p);
}

TEST(FewShotTable, APageHasTheCurvesFromZeroShotOn) {
  std::vector<FewShotRow> rows = kRows;
  rows[1].curve = {{0, .5}, {1, .25}};
  rows[2].curve = {{0, .25}, {1, .25}};
  const Page page = page_of(table_of(true, rows));
  ASSERT_EQ(page.charts.size(), 2u);
  ASSERT_EQ(page.charts[0].series.size(), 2u);
  EXPECT_EQ(page.charts[0].series[1].points,
            (std::vector<std::pair<double, double>>{{0, .4}, {1, .5}, {4, 1}}));
  EXPECT_EQ(page.charts[1].series[0].points, (std::vector<std::pair<double, double>>{{0, .375}, {1, .25}}));
  EXPECT_THAT(to_html(page), HasSubstr("tip_adapter"));
}

TEST(FewShotTable, WithoutNamesThereIsNoZeroShot) {
  const FewShotTable table = table_of(true, {kRows.begin() + 1, kRows.end()});
  EXPECT_FALSE(table.zero_shot);
  EXPECT_THAT(to_text(table), Not(HasSubstr("zero_shot")));
  EXPECT_EQ(table.lines[1].at(1)->fell_back, 0);
  EXPECT_EQ(page_of(table).charts[0].series[0].points.front().first, 1);
}

}  // namespace
}  // namespace duet
