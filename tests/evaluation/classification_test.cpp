#include "evaluation/classification.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/format.h"
#include "core/random.h"
#include "tensors/tensor_file.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

std::vector<std::string> names(std::int64_t count, const std::string& word = "class") {
  std::vector<std::string> made;
  for (std::int64_t i = 0; i < count; ++i) made.push_back(cat(word, " ", i));
  return made;
}

torch::Tensor long_tensor(const std::vector<std::int64_t>& values) { return torch::tensor(values); }

// Logits whose answers are these.
torch::Tensor logits_of(const std::vector<std::int64_t>& answers, std::int64_t classes) {
  auto logits = torch::zeros({static_cast<std::int64_t>(answers.size()), classes});
  for (std::size_t i = 0; i < answers.size(); ++i) logits[static_cast<std::int64_t>(i)][answers[i]] = 2;
  return logits;
}

ClassificationScores scores_of(const std::vector<std::int64_t>& answers,
                               const std::vector<std::int64_t>& labels, std::int64_t classes) {
  const auto items = static_cast<std::int64_t>(labels.size());
  return score_classification(logits_of(answers, classes), long_tensor(labels), names(classes),
                              names(items, "item"));
}

TEST(Classification, CountsByHand) {
  // Class 0: 3 items, 2 right. Class 1: 1 item, right. Class 2: answered once, never there. Class 3: neither.
  const ClassificationScores scores = scores_of({0, 0, 2, 1}, {0, 0, 0, 1}, 4);
  EXPECT_DOUBLE_EQ(scores.top_1, .75);
  EXPECT_DOUBLE_EQ(scores.top_5, 1);
  EXPECT_DOUBLE_EQ(scores.mean_per_class, (2. / 3 + 1) / 2);
  EXPECT_DOUBLE_EQ(scores.macro_f1, (.8 + 1 + 0) / 3);
  EXPECT_EQ(scores.right, (std::vector<std::int64_t>{1, 1, 0, 1}));
  EXPECT_EQ(scores.confusion[0], (std::vector<std::int64_t>{2, 0, 1, 0}));
  EXPECT_EQ(scores.per_class[0].items, 3);
  EXPECT_DOUBLE_EQ(scores.per_class[0].precision, 1);
  EXPECT_DOUBLE_EQ(scores.per_class[0].recall, 2. / 3);
  EXPECT_DOUBLE_EQ(scores.per_class[2].precision, 0);
  EXPECT_FALSE(scores.roc_auc.has_value());
}

TEST(Classification, OfEqualLogitsTheSmallerClassIsTheAnswer) {
  const auto scores = score_classification(torch::zeros({2, 7}), long_tensor({0, 6}), names(7), names(2));
  EXPECT_EQ(scores.right, (std::vector<std::int64_t>{1, 0}));
  EXPECT_DOUBLE_EQ(scores.top_5, .5);  // five classes stand before the last one
  const auto fifth = score_classification(torch::zeros({2, 7}), long_tensor({4, 5}), names(7), names(2));
  EXPECT_DOUBLE_EQ(fifth.top_5, .5);
}

TEST(Classification, CalibrationErrorByHand) {
  // Two classes, the answer's probability is .75 for all, three of four are right: no error.
  const float logit = std::log(3.f);
  const auto logits = torch::tensor({{logit, 0.f}, {logit, 0.f}, {logit, 0.f}, {logit, 0.f}});
  EXPECT_NEAR(score_classification(logits, long_tensor({0, 0, 0, 1}), names(2), names(4)).calibration_error, 0,
              1e-7);
  EXPECT_NEAR(score_classification(logits, long_tensor({0, 1, 1, 1}), names(2), names(4)).calibration_error, .5,
              1e-7);
  // Sure beyond what a float can say: all in the last bin.
  const auto sure = torch::tensor({{500.f, 0.f}, {500.f, 0.f}});
  EXPECT_DOUBLE_EQ(score_classification(sure, long_tensor({0, 1}), names(2), names(2)).calibration_error, .5);
}

TEST(Classification, RocAucCountsPairsInOrder) {
  // Differences: 0.9 (second), 0.5 (first), 0.5 (second), 0.1 (first): 3 of 4 pairs in order, one of them tied.
  const auto logits = torch::tensor({{0.f, .9f}, {0.f, .5f}, {0.f, .5f}, {0.f, .1f}});
  const auto scores = score_classification(logits, long_tensor({1, 0, 1, 0}), names(2), names(4));
  ASSERT_TRUE(scores.roc_auc.has_value());
  EXPECT_DOUBLE_EQ(*scores.roc_auc, 3.5 / 4);
  // Probabilities of all of these are 1 to a float; their order is still there.
  const auto large = torch::tensor({{0.f, 200.f}, {0.f, 100.f}});
  EXPECT_DOUBLE_EQ(*score_classification(large, long_tensor({1, 0}), names(2), names(2)).roc_auc, 1);
  EXPECT_FALSE(score_classification(large, long_tensor({1, 1}), names(2), names(2)).roc_auc.has_value());
}

// ---- intervals

struct Drawn {
  torch::Tensor logits, labels;
  std::vector<std::string> groups;
};

// Groups of one to five items, in each of which items are right or wrong together.
Drawn drawn_items(std::int64_t items, std::int64_t classes) {
  Random random(5);
  std::vector<std::int64_t> labels, answers;
  std::vector<std::string> groups;
  while (static_cast<std::int64_t>(labels.size()) < items) {
    const auto label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
    const auto answer = random.chance(.6)
                            ? label
                            : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
    const std::string group = cat("group ", labels.size());
    for (std::uint64_t i = 0; i <= random.below(5) && static_cast<std::int64_t>(labels.size()) < items; ++i) {
      labels.push_back(label);
      answers.push_back(answer);
      groups.push_back(group);
    }
  }
  return {logits_of(answers, classes), long_tensor(labels), groups};
}

// Whole groups drawn item by item, and every score computed anew: another generator, so equal but for chance.
TEST(Classification, IntervalsAreThoseOfABruteForceBootstrapOverGroups) {
  const Drawn all = drawn_items(120, 4);
  const auto scores = score_classification(all.logits, all.labels, names(4), all.groups);
  std::map<std::string, std::vector<std::int64_t>> members;
  for (std::size_t i = 0; i < all.groups.size(); ++i)
    members[all.groups[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<std::vector<std::int64_t>> groups;
  for (const auto& [name, rows] : members) groups.push_back(rows);
  Random random(99);
  std::vector<double> top_1, per_class, f1;
  const auto answers = all.logits.argmax(1);
  for (int resample = 0; resample < 4000; ++resample) {
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto& group = groups[random.below(groups.size())];
      rows.insert(rows.end(), group.begin(), group.end());
    }
    double right[4] = {}, items[4] = {}, told[4] = {}, recalls = 0, f1s = 0, occurring = 0, seen = 0;
    for (const std::int64_t row : rows) {
      const auto label = all.labels[row].item<std::int64_t>(), answer = answers[row].item<std::int64_t>();
      right[label] += label == answer;
      ++items[label];
      ++told[answer];
    }
    for (int c = 0; c < 4; ++c) {
      if (items[c] > 0) recalls += right[c] / items[c], ++occurring;
      if (items[c] + told[c] > 0) f1s += 2 * right[c] / (items[c] + told[c]), ++seen;
    }
    top_1.push_back((right[0] + right[1] + right[2] + right[3]) / static_cast<double>(rows.size()));
    per_class.push_back(recalls / occurring);
    f1.push_back(f1s / seen);
  }
  const auto expect_near = [](const Interval& interval, std::vector<double> values) {
    std::sort(values.begin(), values.end());
    EXPECT_NEAR(interval.low, values[100], .012);
    EXPECT_NEAR(interval.high, values[3899], .012);
    EXPECT_GT(interval.high - interval.low, .15);  // items alone would give .17 * sqrt(1 / 3)
  };
  expect_near(scores.top_1_interval, top_1);
  expect_near(scores.mean_per_class_interval, per_class);
  expect_near(scores.macro_f1_interval, f1);
}

TEST(Classification, GroupsWidenIntervals) {
  const Drawn all = drawn_items(400, 3);
  const auto grouped = score_classification(all.logits, all.labels, names(3), all.groups);
  const auto single = score_classification(all.logits, all.labels, names(3), names(400, "item"));
  EXPECT_EQ(grouped.top_1, single.top_1);
  EXPECT_GT(grouped.top_1_interval.high - grouped.top_1_interval.low,
            1.3 * (single.top_1_interval.high - single.top_1_interval.low));
  const auto again = score_classification(all.logits, all.labels, names(3), all.groups);
  EXPECT_EQ(again.macro_f1_interval.low, grouped.macro_f1_interval.low);
}

TEST(PairedDifference, IsThatOfTheSameItems) {
  const std::vector<double> a = {1, 1, 1, 0, 1, 1, 1, 1}, b = {0, 1, 0, 0, 1, 0, 0, 0};
  const PairedDifference better = paired_difference(a, b, names(8));
  EXPECT_DOUBLE_EQ(better.mean, 5. / 8);
  EXPECT_GT(better.interval.low, 0);
  EXPECT_LT(better.p, .02);
  EXPECT_GE(better.p, 2. / 2001);
  const PairedDifference worse = paired_difference(b, a, names(8));
  EXPECT_DOUBLE_EQ(worse.mean, -better.mean);
  EXPECT_DOUBLE_EQ(worse.p, better.p);
  const PairedDifference equal = paired_difference(a, a, names(8));
  EXPECT_EQ(equal.mean, 0);
  EXPECT_EQ(equal.p, 1);
  // All in one group is one witness alone.
  const PairedDifference one = paired_difference(a, b, std::vector<std::string>(8, "same"));
  EXPECT_DOUBLE_EQ(one.interval.low, one.interval.high);
  EXPECT_EQ(one.p, 1);
  const std::vector<std::string> three = {"x", "y", "z", "x", "y", "z", "x", "x"};
  EXPECT_DOUBLE_EQ(paired_difference(a, b, three).p, .25);
}

TEST(PairedDifference, SmallestPIsTwoIn2001) {
  const std::vector<double> a(50, 1), b(50, 0);
  EXPECT_DOUBLE_EQ(paired_difference(a, b, names(50)).p, 2. / 2001);
}

// ---- several labels an item

TEST(MultiLabel, AveragePrecisionByHand) {
  // Class 0, best first: right, wrong, right: (1 + 2/3) / 2. Class 1: all tied, one of three is right. Class 2:
  // none.
  const auto logits = torch::tensor({{.9f, 0.f, 1.f}, {.5f, 0.f, 2.f}, {.1f, 0.f, 3.f}});
  const MultiLabelScores scores = score_multi_label(logits, {{0, 1}, {}, {0}}, names(3), names(3));
  EXPECT_DOUBLE_EQ(scores.per_class[0].second, (1 + 2. / 3) / 2);
  EXPECT_DOUBLE_EQ(scores.per_class[1].second, 1. / 3);
  EXPECT_TRUE(std::isnan(scores.per_class[2].second));
  EXPECT_DOUBLE_EQ(scores.mean_average_precision, ((1 + 2. / 3) / 2 + 1. / 3) / 2);
  EXPECT_LE(scores.interval.low, scores.mean_average_precision);
  EXPECT_GE(scores.interval.high, scores.mean_average_precision);
  EXPECT_TRUE(to_json(scores)["per_class"]["class 2"].is_null());
  EXPECT_EQ(to_json(scores)["items"], 3);
  EXPECT_EQ(to_json(scores)["classes"], 3);
}

// ---- refusals

TEST(Classification, RefusesWhatCannotBeScored) {
  const auto score = [](const torch::Tensor& logits, const torch::Tensor& labels, std::int64_t classes) {
    return failure_of([&] { score_classification(logits, labels, names(classes), names(logits.size(0))); });
  };
  const Failure none = score(torch::zeros({0, 2}), long_tensor({}).to(torch::kLong), 2);
  EXPECT_EQ(none.exit, Exit::data);
  EXPECT_NE(none.text.find("no items"), std::string::npos);
  const Failure outside = score(torch::zeros({2, 2}), long_tensor({0, 2}), 2);
  EXPECT_EQ(outside.exit, Exit::data);
  EXPECT_NE(outside.text.find("item 2: has label 2; there are 2 classes"), std::string::npos) << outside.text;
  EXPECT_EQ(score(torch::full({1, 2}, NAN), long_tensor({0}), 2).exit, Exit::failed);
  EXPECT_EQ(score(torch::zeros({2, 3}), long_tensor({0, 1}), 2).exit, Exit::failed);
  EXPECT_EQ(failure_of([&] {
              score_multi_label(torch::zeros({1, 2}), {{}}, names(2), names(1));
            }).exit,
            Exit::data);
  EXPECT_EQ(failure_of([&] { paired_difference({}, {}, {}); }).exit, Exit::data);
}

// ---- scikit-learn

class Golden : public testing::Test {
 protected:
  const TensorMap values_ = load_tensors(DUET_GOLDEN "/classification.safetensors");
  double number(const std::string& name) const { return values_.at(name).item<double>(); }
};

TEST_F(Golden, ScoresAreScikitLearns) {
  for (const std::string name : {"many", "few"}) {
    const torch::Tensor& logits = values_.at(name + "/logits");
    const auto scores = score_classification(logits, values_.at(name + "/labels"), names(logits.size(1)),
                                             names(logits.size(0), "item"));
    EXPECT_DOUBLE_EQ(scores.top_1, number(name + "/top_1"));
    EXPECT_DOUBLE_EQ(scores.top_5, number(name + "/top_5"));
    EXPECT_NEAR(scores.mean_per_class, number(name + "/mean_per_class"), 1e-12);
    EXPECT_NEAR(scores.macro_f1, number(name + "/macro_f1"), 1e-12);
    EXPECT_NEAR(scores.calibration_error, number(name + "/calibration_error"), 1e-9);
    for (std::int64_t c = 0; c < logits.size(1); ++c) {
      const ClassScores& one = scores.per_class[static_cast<std::size_t>(c)];
      EXPECT_NEAR(one.precision, values_.at(name + "/precision")[c].item<double>(), 1e-12);
      EXPECT_NEAR(one.recall, values_.at(name + "/recall")[c].item<double>(), 1e-12);
      EXPECT_NEAR(one.f1, values_.at(name + "/f1")[c].item<double>(), 1e-12);
      for (std::int64_t answer = 0; answer < logits.size(1); ++answer)
        EXPECT_EQ(scores.confusion[static_cast<std::size_t>(c)][static_cast<std::size_t>(answer)],
                  values_.at(name + "/confusion")[c][answer].item<std::int64_t>());
    }
  }
}

TEST_F(Golden, RocAucAndAveragePrecisionAreScikitLearns) {
  const torch::Tensor& two = values_.at("two/logits");
  const auto scores = score_classification(two, values_.at("two/labels"), names(2), names(two.size(0)));
  EXPECT_NEAR(scores.roc_auc.value(), number("two/roc_auc"), 1e-12);
  const torch::Tensor& several = values_.at("several/logits");
  std::vector<std::vector<std::int64_t>> labels;
  for (std::int64_t i = 0; i < several.size(0); ++i) {
    labels.emplace_back();
    for (std::int64_t c = 0; c < several.size(1); ++c) {
      if (values_.at("several/targets")[i][c].item<std::int64_t>() == 1) labels.back().push_back(c);
    }
  }
  const auto precisions = score_multi_label(several, labels, names(6), names(several.size(0)));
  double sum = 0;
  for (std::int64_t c = 0; c < 6; ++c) {
    const double expected = values_.at("several/average_precision")[c].item<double>();
    EXPECT_NEAR(precisions.per_class[static_cast<std::size_t>(c)].second, expected, 1e-12);
    sum += expected;
  }
  EXPECT_NEAR(precisions.mean_average_precision, sum / 6, 1e-12);
}

TEST(Classification, JsonNamesScoresAndAnswers) {
  const nlohmann::json json = to_json(scores_of({0, 1, 1}, {0, 0, 1}, 2));
  EXPECT_DOUBLE_EQ(json["top_1"], 2. / 3);
  EXPECT_EQ(json["top_1_interval"].size(), 2u);
  EXPECT_EQ(json["per_class"]["class 0"]["answers"], (nlohmann::json{{"class 0", 1}, {"class 1", 1}}));
  EXPECT_EQ(json["per_class"]["class 1"]["items"], 1);
  EXPECT_TRUE(json.contains("roc_auc"));
}

}  // namespace
}  // namespace duet
