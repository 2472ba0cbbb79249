#include "adaptation/few_shot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "adaptation/classifiers.h"
#include "adaptation/few_shot_scoring.h"
#include "core/files.h"
#include "tests/adaptation/few_shot_items.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;

std::int64_t fits = 0;

torch::Tensor means_of(const Part& items, std::int64_t classes) {
  torch::Tensor means = torch::zeros({classes, items.tower.size(1)});
  return means.index_add_(0, items.labels, items.tower) / static_cast<double>(items.labels.size(0) / classes);
}

Adapted fit_means(const AdaptationTask& task, const Part& support, const Part&, std::uint64_t seed) {
  ++fits;
  return {
      .classifier = linear_classifier(
          {.weight = means_of(support, task.classes), .bias = torch::zeros({task.classes}), .input = "tower"}),
      .chosen = {{"seed", seed}},
      .curve = {{0, .25}, {1, .75}}};
}

Adapted fit_wrong(const AdaptationTask& task, const Part& support, const Part&, std::uint64_t) {
  ++fits;
  return {.classifier = linear_classifier({.weight = -means_of(support, task.classes),
                                           .bias = torch::zeros({task.classes}),
                                           .input = "tower"})};
}

Adapted fit_refusing(const AdaptationTask&, const Part&, const Part&, std::uint64_t) {
  fail(Exit::usage, "refusing", "the tower has no linear map");
}

// Learns the labels of all items that it can find, and of those that it is asked.
class Peeking : public Classifier {
 public:
  torch::Tensor logits(const Part& items) const override {
    torch::Tensor answers = torch::zeros({static_cast<std::int64_t>(items.items.size()), kClasses});
    for (std::size_t i = 0; i < items.items.size(); ++i) {
      const auto row = static_cast<std::size_t>(items.items[i]);
      const Labelled& data = *items.data;
      std::int64_t found = 0;
      if (row < data.labels.size()) found = data.labels[row].front();
      if (!data.source.pairs[row].columns.empty())
        found = data.source.pairs[row].columns.front() == "cat" ? 1 : 2;
      if (is_asking && items.labels.defined())
        found = items.labels[static_cast<std::int64_t>(i)].item<std::int64_t>();
      answers[static_cast<std::int64_t>(i)][found] = 1;
    }
    return answers;
  }
  std::string_view kind() const override { return "peeking"; }
  nlohmann::json facts() const override { return {}; }
  TensorMap tensors() const override { return {}; }
  bool is_asking = true;
};

Adapted fit_peeking(const AdaptationTask&, const Part& support, const Part& validation, std::uint64_t) {
  for (const Part* part : {&support, &validation}) {
    EXPECT_TRUE(part->labels.defined());
    EXPECT_TRUE(part->data->labels.empty());
    EXPECT_TRUE(part->data->classes.empty());
  }
  return {.classifier = std::make_unique<Peeking>()};
}

const MethodKind kMeans{.name = "means", .meaning = "m", .fit = fit_means};
const MethodKind kWrong{.name = "wrong", .meaning = "m", .fit = fit_wrong};
const MethodKind kRefusing{.name = "refusing", .meaning = "m", .fit = fit_refusing};
const MethodKind kPeeking{.name = "peeking", .meaning = "m", .fit = fit_peeking};
const MethodKind kNamed{.name = "named", .meaning = "m", .fit = fit_means, .needs_names = true};

double accuracy_of(const FewShotRow& row) {
  return static_cast<double>(std::count(row.right.begin(), row.right.end(), '1')) /
         static_cast<double>(row.right.size());
}

// Of a file, but for the times.
std::string rows_without_seconds(const fs::path& file) {
  std::string out;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json row = nlohmann::json::parse(line);
    row.erase("seconds");
    out += row.dump() + "\n";
  }
  return out;
}

FewShotPlan plan_of(std::vector<const MethodKind*> methods) {
  return {.methods = std::move(methods), .splits = made_up_splits({1, 4}, 3)};
}

constexpr auto kNever = [] { return false; };

TEST(FewShot, StoppedAndCutItEndsWithTheSameRows) {
  const TemporaryFolder folder;
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  FewShotPlan plan = plan_of({&kMeans, &kWrong});
  fits = 0;
  {
    FewShotResults results(folder / "whole.jsonl");
    EXPECT_TRUE(run_few_shot(bench, plan, results, kNever));
  }
  EXPECT_EQ(fits, 12);
  const fs::path file = folder / "cut.jsonl";
  fits = 0;
  {
    FewShotResults results(file);
    EXPECT_FALSE(run_few_shot(bench, plan, results, [] { return fits == 5; }));
  }
  EXPECT_EQ(fits, 5);
  const std::string text = read_file(file);
  write_file(file, text.substr(0, text.size() - 20));  // killed within the last line
  {
    FewShotResults results(file);
    EXPECT_TRUE(run_few_shot(bench, plan, results, kNever));
  }
  EXPECT_EQ(fits, 5 + 8);  // the cut one is made again
  EXPECT_EQ(rows_without_seconds(file), rows_without_seconds(folder / "whole.jsonl"));
  {
    FewShotResults results(file);
    EXPECT_TRUE(run_few_shot(bench, plan, results, kNever));
  }
  EXPECT_EQ(fits, 5 + 8);
}

TEST(FewShot, RowsHoldWhatWasFound) {
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  const FewShotSplit split = made_up_splits({4}, 1).front();
  const FewShotRow row = bench.row(kMeans, split);
  EXPECT_EQ(row.method, "means");
  EXPECT_EQ(row.right.size(), data.pool.test.size());
  EXPECT_EQ(row.curve.size(), 2u);
  // By hand: the answers of the means of the support.
  const Part support = bench.labelled(split.support);
  const torch::Tensor answers = bench.asked().tower.matmul(means_of(support, kClasses).t()).argmax(1);
  for (std::size_t i = 0; i < row.right.size(); ++i) {
    const auto label = static_cast<std::int64_t>(i) % kClasses;
    EXPECT_EQ(row.right[i] == '1', answers[static_cast<std::int64_t>(i)].item<std::int64_t>() == label) << i;
  }
  EXPECT_GT(accuracy_of(row), .5);
  const Part validation = bench.labelled(split.validation);
  const torch::Tensor said = validation.tower.matmul(means_of(support, kClasses).t()).argmax(1);
  EXPECT_DOUBLE_EQ(row.validation, said.eq(validation.labels).to(torch::kDouble).mean().item<double>());
}

TEST(FewShot, SecondsHoldATrainingThatWasTakenOver) {
  const MethodKind sharing{
      .name = "sharing",
      .meaning = "m",
      .fit = [](const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
        Adapted adapted = fit_means(task, support, validation, seed);
        adapted.seconds_before = 1000;
        return adapted;
      }};
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  EXPECT_GE(bench.row(sharing, made_up_splits({1}, 1).front()).seconds, 1000);
}

TEST(FewShot, WhoPeeksFindsNothing) {
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  const FewShotSplit split = made_up_splits({1}, 1).front();
  const Part asked = bench.asked();
  EXPECT_FALSE(asked.labels.defined());
  EXPECT_TRUE(asked.data->labels.empty());
  EXPECT_TRUE(asked.data->groups.empty());
  EXPECT_TRUE(asked.data->source.pairs.front().columns.empty());
  const FewShotRow row = bench.row(kPeeking, split);
  EXPECT_EQ(row.validation, 1);  // these labels it is given
  EXPECT_DOUBLE_EQ(accuracy_of(row), 1.0 / kClasses);
  // Nor can a test item be passed off as one to learn from.
  EXPECT_THAT(failure_of([&] { bench.labelled({0}); }).text, HasSubstr("is one of the test's"));
}

TEST(FewShot, FallsBackToZeroShotWhereThatIsBetterOnValidation) {
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  const FewShotSplit split = made_up_splits({4}, 1).front();
  EXPECT_TRUE(bench.row(kWrong, split).falls_back);
  EXPECT_LT(accuracy_of(bench.row(kWrong, split)), .3);  // the row holds its own answers
  const FewShotBench ignorant(data, made_up_task(0), "model");
  EXPECT_FALSE(ignorant.row(kMeans, split).falls_back);
  EXPECT_EQ(accuracy_of(*ignorant.zero_shot_row()), 1.0 / kClasses);
  const FewShotBench nameless(data, {}, "model");
  EXPECT_FALSE(nameless.row(kWrong, split).falls_back);
  EXPECT_FALSE(nameless.zero_shot_row());
}

// A method that says what it is told to of validation, and its own answers.
FewShotRow row_with(const FewShotBench& bench, Verdict verdict) {
  static Verdict said;
  said = verdict;
  const MethodKind telling{
      .name = "telling",
      .meaning = "m",
      .fit = [](const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
        Adapted adapted = fit_means(task, support, validation, seed);
        adapted.validated = said;
        return adapted;
      }};
  return bench.row(telling, made_up_splits({4}, 1).front());
}

TEST(FewShot, CrossEntropyDecidesWhetherZeroShotCounts) {
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  const Part validation = bench.labelled(made_up_splits({4}, 1).front().validation);
  const Verdict named = judged(zero_shot_classifier(bench.task())->logits(validation), validation.labels);
  const auto falls_back = [&](double accuracy, double cross_entropy) {
    return row_with(bench, {.accuracy = accuracy, .cross_entropy = cross_entropy}).falls_back;
  };
  EXPECT_TRUE(falls_back(named.accuracy, named.cross_entropy + .01));
  EXPECT_FALSE(falls_back(named.accuracy, named.cross_entropy - .01));
  EXPECT_FALSE(falls_back(named.accuracy, named.cross_entropy));
  EXPECT_FALSE(falls_back(named.accuracy - .01, named.cross_entropy - .01));
  EXPECT_TRUE(falls_back(named.accuracy + .01, named.cross_entropy + .01));
}

TEST(FewShot, AMethodThatLearnedFromValidationSaysWhatItWasWorthBefore) {
  const MethodKind boasting{
      .name = "boasting",
      .meaning = "m",
      .fit = [](const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
        Adapted adapted = fit_means(task, support, validation, seed);
        adapted.validated = Verdict{.accuracy = 0, .cross_entropy = 9};
        return adapted;
      }};
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  const FewShotRow row = bench.row(boasting, made_up_splits({4}, 1).front());
  EXPECT_EQ(row.validation, 0);
  EXPECT_TRUE(row.falls_back);
}

TEST(FewShot, MethodsWithoutAMeaningAreLeftOutOrRefused) {
  const TemporaryFolder folder;
  const FewShotData data = made_up_items();
  const FewShotBench nameless(data, {}, "model");
  FewShotPlan plan = plan_of({&kNamed, &kMeans, &kRefusing});
  plan = usable(nameless, plan);
  EXPECT_EQ(plan.methods, (std::vector<const MethodKind*>{&kMeans, &kRefusing}));
  FewShotResults results(folder / "rows.jsonl");
  EXPECT_TRUE(run_few_shot(nameless, plan, results, kNever));
  EXPECT_EQ(plan.methods, std::vector<const MethodKind*>{&kMeans});
  EXPECT_EQ(results.rows().size(), 6u);

  FewShotPlan named = plan_of({&kNamed});
  named.by_name = true;
  EXPECT_THAT(failure_of([&] { usable(nameless, named); }).text,
              HasSubstr("'named' needs the classes' names in one space"));
  FewShotPlan refusing = plan_of({&kRefusing});
  refusing.by_name = true;
  FewShotResults none({});
  EXPECT_EQ(failure_of([&] { run_few_shot(nameless, refusing, none, kNever); }).exit, Exit::usage);
}

TEST(FewShot, RowsOfAnotherStudyAreNotUsed) {
  const TemporaryFolder folder;
  const FewShotData data = made_up_items();
  const FewShotBench bench(data, made_up_task(), "model");
  FewShotPlan plan = plan_of({&kMeans});
  {
    FewShotResults results(folder / "rows.jsonl");
    run_few_shot(bench, plan, results, kNever);
  }
  const auto refused = [&](const FewShotData& other_data, AdaptationTask task, const std::string& model) {
    const FewShotBench other(other_data, std::move(task), model);
    FewShotResults results(folder / "rows.jsonl");
    return failure_of([&] { run_few_shot(other, plan, results, kNever); });
  };
  EXPECT_EQ(refused(data, made_up_task(), "model").exit, Exit::ok);
  EXPECT_EQ(refused(data, made_up_task(), "another").exit, Exit::usage);
  AdaptationTask renamed = made_up_task();
  renamed.names[1].names[0] = "puss";
  EXPECT_EQ(refused(data, renamed, "model").exit, Exit::usage);
  FewShotData relabelled = made_up_items();
  relabelled.items.labels[0] = {2};  // of a test item
  EXPECT_THAT(refused(relabelled, made_up_task(), "model").text, HasSubstr("name another file by --results"));
  relabelled = made_up_items();
  relabelled.items.labels[static_cast<std::size_t>(plan.splits.front().support.front())] = {2};
  EXPECT_EQ(refused(relabelled, made_up_task(), "model").exit, Exit::usage);
}

TEST(FewShot, EpochsAreOfTheRowsThatTrainForThem) {
  const FewShotData data = made_up_items();
  const FewShotSplit split = made_up_splits({4}, 1).front();
  AdaptationTask longer = made_up_task();
  longer.epochs = 20;
  const FewShotBench usual(data, made_up_task(), "model"), other(data, longer, "model");
  for (const MethodKind& kind : method_kinds())
    EXPECT_EQ(usual.identity(kind.name, split) == other.identity(kind.name, split), !kind.needs_network)
        << kind.name;
  EXPECT_EQ(usual.identity(kZeroShot, {}), other.identity(kZeroShot, {}));
  longer.epochs = 21;
  EXPECT_NE(FewShotBench(data, longer, "model").identity("lora", split), other.identity("lora", split));
}

}  // namespace
}  // namespace duet
