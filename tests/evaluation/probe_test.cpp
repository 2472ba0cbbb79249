#include "evaluation/probe.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

// Items whose class shows in `clear`, and hardly in the other features.
struct Drawn {
  torch::Tensor clear, dim, labels;
};

Drawn drawn(std::int64_t items, std::uint64_t seed, double noise = .3) {
  torch::manual_seed(seed);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < items; ++i) labels.push_back(i % 3);
  const torch::Tensor truth = torch::tensor(labels);
  const auto centres = torch::eye(3, torch::kFloat).repeat({1, 2});
  return {centres.index_select(0, truth) + noise * torch::randn({items, 6}), torch::randn({items, 6}), truth};
}

ProbeItems items_of(const Drawn& all, bool clear_tower) {
  return clear_tower ? ProbeItems{all.clear, all.dim, all.labels} : ProbeItems{all.dim, all.clear, all.labels};
}

struct Answers {
  torch::Tensor logits;
  nlohmann::json chosen;
};

Answers answer(const ProbeOptions& options, const ProbeItems& train, const ProbeItems& validation,
               const ProbeItems& asked) {
  const FittedProbe probe = fit_probe(options, train, validation);
  return {probe.logits(asked), probe.chosen};
}

double accuracy(const Answers& answers, const torch::Tensor& labels) {
  return answers.logits.argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
}

class Probe : public testing::TestWithParam<const char*> {};

TEST_P(Probe, ChoosesTheFeaturesThatTell) {
  const Drawn train = drawn(90, 1), validation = drawn(60, 2), asked = drawn(90, 3);
  for (const bool clear_tower : {true, false}) {
    const Answers answers = answer({.kind = GetParam(), .classes = 3}, items_of(train, clear_tower),
                                   items_of(validation, clear_tower), items_of(asked, clear_tower));
    EXPECT_EQ(answers.chosen["input"], clear_tower ? "tower" : "rows") << answers.chosen;
    EXPECT_GT(accuracy(answers, asked.labels), .9);
    EXPECT_EQ(answers.chosen["validation_items"], 60);
    EXPECT_GT(answers.chosen["scale"].get<double>(), 0);
  }
}

// Without rows, as of a tower alone.
TEST_P(Probe, WorksOnTheTowerAlone) {
  const Drawn train = drawn(60, 1), validation = drawn(30, 2), asked = drawn(30, 3);
  const Answers answers = answer({.kind = GetParam(), .classes = 3}, {train.clear, {}, train.labels},
                                 {validation.clear, {}, validation.labels}, {asked.clear, {}, {}});
  EXPECT_EQ(answers.chosen["input"], "tower");
  EXPECT_EQ(answers.logits.sizes(), (std::vector<std::int64_t>{30, 3}));
}

// The third class is in the validation part alone: only who learns from both can tell it.
TEST_P(Probe, LearnsFromValidationTooInTheEnd) {
  const Drawn all = drawn(90, 1, .05), asked = drawn(30, 3, .05);
  const auto rows = [&](bool third) { return all.labels.eq(2).eq(third).nonzero().squeeze(1); };
  const auto part = [&](const torch::Tensor& index) {
    return ProbeItems{all.clear.index_select(0, index), {}, all.labels.index_select(0, index)};
  };
  const torch::Tensor some = rows(false);
  const ProbeItems train = part(some.slice(0, 0, 40));
  const ProbeItems validation = part(torch::cat({some.slice(0, 40), rows(true)}));
  const Answers answers = answer({.kind = GetParam(), .classes = 3}, train, validation, {asked.clear, {}, {}});
  EXPECT_GT(accuracy(answers, asked.labels), .95);
}

TEST_P(Probe, TellsEachOfSeveralLabels) {
  const Drawn train = drawn(60, 1), validation = drawn(30, 2), asked = drawn(30, 3);
  const auto targets = [](const Drawn& one) {
    auto several = torch::zeros({one.labels.size(0), 3});
    several.scatter_(1, one.labels.unsqueeze(1), 1.0);
    several.select(1, 0).fill_(0).masked_fill_(one.clear.select(1, 1) > .5, 1);  // another label beside
    return several;
  };
  const Answers answers = answer({.kind = GetParam(), .classes = 3}, {train.clear, {}, targets(train)},
                                 {validation.clear, {}, targets(validation)}, {asked.clear, {}, {}});
  const torch::Tensor told = answers.logits.gt(0).to(torch::kFloat);
  EXPECT_GT(told.eq(targets(asked)).to(torch::kDouble).mean().item<double>(), .9);
  EXPECT_FALSE(answers.chosen.contains("scale"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Probe, testing::Values("knn", "linear_probe", "ridge"),
                         [](const auto& one) { return std::string(one.param); });

TEST(ProbeOptions, NumberOfNeighboursIsTaken) {
  const Drawn train = drawn(30, 1), validation = drawn(30, 2), asked = drawn(30, 3);
  const auto ask = [&](std::int64_t k) {
    return answer({.kind = "knn", .classes = 3, .k = k}, items_of(train, true), items_of(validation, true),
                  items_of(asked, true));
  };
  EXPECT_EQ(ask(7).chosen["k"], 7);
  const Failure refused = failure_of([&] { ask(31); });
  EXPECT_EQ(refused.exit, Exit::usage);
  EXPECT_NE(refused.text.find("31 neighbours of 30 items"), std::string::npos) << refused.text;
}

}  // namespace
}  // namespace duet
