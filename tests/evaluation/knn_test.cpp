#include "evaluation/knn.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/topk.h>
#include <gtest/gtest.h>

#include "encoders/blocks.h"
#include "encoders/init.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

const TensorMap& golden() {
  static const TensorMap values = load_tensors(std::string(DUET_GOLDEN) + "/probes.safetensors");
  return values;
}

class Knn : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, Knn, ::testing::Values(1, 7, 40));

TEST_P(Knn, SharesOfVotesEqualScikitLearn) {
  const auto neighbours = nearest_neighbours(golden().at("train"), golden().at("test"), GetParam());
  const auto logits = knn_logits(neighbours, golden().at("labels"), 5, GetParam());
  const auto wanted = golden().at("knn/" + std::to_string(GetParam()));
  const auto shares = (logits.softmax(1) - 2e-4) / .999;  // less what is spread over all classes
  EXPECT_LT((shares - wanted).abs().max().item<double>(), 1e-5);
}

TEST(NearestNeighbours, AreOrderedByCosineThenRow) {
  const auto gallery = torch::tensor({{0.F, 2.F}, {3.F, 0.F}, {9.F, 0.F}, {1.F, 1.F}});
  const auto found = nearest_neighbours(gallery, torch::tensor({{5.F, 0.F}, {0.F, .1F}}), 3);
  EXPECT_TRUE(torch::equal(found.rows, torch::tensor({{1, 2, 3}, {0, 3, 1}})));
  EXPECT_NEAR(found.cosines[0][2].item<double>(), std::sqrt(.5), 1e-6);
}

// Rows that are the same are found in their order, however many there are and wherever a block ends.
TEST(NearestNeighbours, OfEqualRowsTheFirstAreTaken) {
  const auto row = Init(1, "row").normal("x", {1, 37}, 1);
  const auto gallery = row.expand({5000, 37}).contiguous();
  const auto found = nearest_neighbours(gallery, row.expand({9, 37}).contiguous(), 4);
  EXPECT_TRUE(torch::equal(found.rows, at::arange(4).expand({9, 4})));
  EXPECT_EQ(found.cosines.min().item<double>(), found.cosines.max().item<double>());
}

TEST(NearestNeighbours, AreThoseOfAllCosines) {
  const Init init(2, "rows");
  const auto gallery = init.normal("gallery", {3000, 24}, 1), queries = init.normal("queries", {1500, 24}, 1);
  const auto found = nearest_neighbours(gallery, queries, 10);
  const auto cosines = unit(queries).matmul(unit(gallery).t());
  const auto [best, rows] = cosines.topk(10, 1);
  EXPECT_LT((found.cosines - best).abs().max().item<double>(), 1e-5);
  EXPECT_GT(found.rows.eq(rows).to(torch::kDouble).mean().item<double>(), .999);
}

TEST(NearestNeighbours, ARowOfZerosIsNearNothing) {
  const auto gallery = torch::tensor({{0.F, 0.F}, {1.F, .1F}});
  const auto found = nearest_neighbours(gallery, torch::tensor({{1.F, 0.F}}), 2);
  EXPECT_TRUE(torch::equal(found.rows, torch::tensor({{1, 0}})));
  EXPECT_EQ(found.cosines[0][1].item<double>(), 0);
}

TEST(KnnLogits, AreFiniteForClassesWithoutVotesAndAddUpToOne) {
  const auto gallery = torch::tensor({{1.F, 0.F}, {0.F, 1.F}});
  const auto logits =
      knn_logits(nearest_neighbours(gallery, torch::tensor({{1.F, 0.F}}), 2), torch::tensor({2, 0}), 4, 1);
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  EXPECT_NEAR(logits.exp().sum().item<double>(), 1, 1e-6);
  EXPECT_EQ(logits.argmax(1).item<std::int64_t>(), 2);
}

// Each class by itself: log(yes / no) of the votes, less the spread.
TEST_P(Knn, SeveralLabelsAreVotedOnOneByOne) {
  const auto neighbours = nearest_neighbours(golden().at("train"), golden().at("test"), GetParam());
  const auto& several = golden().at("several_labels");
  const auto logits = knn_logits(neighbours, several, several.size(1), GetParam());
  for (std::int64_t c = 0; c < several.size(1); ++c) {
    const auto one = knn_logits(neighbours, several.select(1, c).to(torch::kLong), 2, GetParam());
    EXPECT_LT((logits.select(1, c) - (one.select(1, 1) - one.select(1, 0))).abs().max().item<double>(), 1e-4);
  }
}

// Else rounding would rank items of which nothing tells one from another.
TEST(KnnLogits, OfAgreeingNeighboursAreEqual) {
  const Init init(4, "agreeing");
  const auto gallery = init.normal("gallery", {40, 6}, 1), queries = init.normal("queries", {200, 6}, 1);
  for (const std::int64_t k : {2, 5, 20}) {
    const auto neighbours = nearest_neighbours(gallery, queries, k);
    const auto logits = knn_logits(neighbours, torch::ones({40}, torch::kLong), 3, k);
    EXPECT_TRUE(logits.eq(logits[0]).all().item<bool>()) << k;
    // Of several labels: one that all have, one that none has.
    const auto several = knn_logits(neighbours, torch::tensor({1, 0}).repeat({40, 1}), 2, k);
    EXPECT_TRUE(several.eq(several[0]).all().item<bool>()) << k;
  }
}

TEST(ChooseK, TakesMoreNeighboursWhereLabelsAreNoisy) {
  const Init init(3, "noisy");
  const auto centres = torch::eye(3, 8).repeat({200, 1});
  const auto gallery = (centres + init.normal("gallery", {600, 8}, .2)).contiguous();
  const auto truth = at::arange(3).repeat({200});
  const auto wrong = init.normal("wrong", {600}, 1) > .3;  // two of five
  const auto labels = torch::where(wrong, (truth + 1 + at::arange(600) % 2) % 3, truth);
  const auto held_out = (centres + init.normal("held out", {600, 8}, .2)).contiguous();
  const ChosenK noisy = choose_k(gallery, labels, 3, held_out, truth);
  EXPECT_GE(noisy.k, 20);
  EXPECT_EQ(noisy.tried.size(), 8U);
  EXPECT_GT(noisy.judgement.accuracy, noisy.tried.front().second.accuracy + .2);
}

TEST(ChooseK, StopsAtTheItemsThereAre) {
  const auto gallery = torch::eye(3);
  const ChosenK chosen = choose_k(gallery, at::arange(3), 3, gallery, at::arange(3));
  EXPECT_EQ(chosen.tried.size(), 2U);  // 1 and 2
  EXPECT_DOUBLE_EQ(chosen.judgement.accuracy, 1);
}

}  // namespace
}  // namespace duet
