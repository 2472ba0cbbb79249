#include "retrieval/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/random.h"
#include "vectors.h"

namespace duet {
namespace {

using Keys = std::vector<std::int64_t>;

// By the definition: the place of the first right answer in the full order.
std::vector<std::int64_t> ranks_by_sorting(const std::vector<float>& queries, const std::vector<float>& gallery,
                                           std::int64_t dimension, const Keys& query_keys,
                                           const Keys& gallery_keys) {
  std::vector<std::int64_t> ranks;
  for (std::size_t q = 0; q < query_keys.size(); ++q) {
    const std::span<const float> query(queries.data() + q * static_cast<std::size_t>(dimension),
                                       static_cast<std::size_t>(dimension));
    const auto order = brute_force(gallery, query, static_cast<std::int64_t>(gallery_keys.size()));
    const auto first = std::find_if(order.begin(), order.end(), [&](std::int64_t row) {
      return gallery_keys[static_cast<std::size_t>(row)] == query_keys[q];
    });
    ranks.push_back(1 + (first - order.begin()));
  }
  return ranks;
}

Keys random_keys(std::int64_t count, std::int64_t kinds, std::uint64_t seed) {
  Random random(seed);
  Keys keys;
  for (std::int64_t i = 0; i < count; ++i) {
    keys.push_back(i < kinds ? i : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(kinds))));
  }
  return keys;
}

TEST(RankQueries, EqualsSortingWithTiesAndSeveralAnswers) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::int64_t dimension = 1 + static_cast<std::int64_t>(seed) * 3;
    const auto queries = whole_vectors(37, dimension, 2 * seed),
               gallery = whole_vectors(211, dimension, 2 * seed + 1);
    const Keys query_keys = random_keys(37, 12, seed),
               gallery_keys = random_keys(211, 12 + static_cast<std::int64_t>(seed), seed + 99);
    const RetrievalScores scores =
        rank_queries(queries, gallery, dimension, answers_by_key(query_keys, gallery_keys));
    EXPECT_EQ(scores.ranks, ranks_by_sorting(queries, gallery, dimension, query_keys, gallery_keys)) << seed;
    EXPECT_EQ(scores.queries, 37);
    EXPECT_EQ(scores.gallery, 211);
  }
}

TEST(RankQueries, EqualsSortingOnUnitVectors) {
  const auto vectors = clustered_vectors(900, 48, 30, 5);
  const std::vector<float> queries(vectors.begin(), vectors.begin() + 300 * 48),
      gallery(vectors.begin() + 300 * 48, vectors.end());
  const Keys query_keys = random_keys(300, 100, 1), gallery_keys = random_keys(600, 100, 2);
  EXPECT_EQ(rank_queries(queries, gallery, 48, answers_by_key(query_keys, gallery_keys)).ranks,
            ranks_by_sorting(queries, gallery, 48, query_keys, gallery_keys));
}

// A BLAS may score equal columns unequally, depending on where they stand in its blocks.
TEST(RankQueries, CopiesOfAPictureAreTiesWhereverTheyStand) {
  auto gallery = clustered_vectors(1'003, 67, 4, 3);
  const auto queries = clustered_vectors(50, 67, 4, 4);
  for (std::ptrdiff_t row = 1; row < 1'003; ++row) std::copy_n(gallery.begin(), 67, gallery.begin() + row * 67);
  Keys query_keys(50), gallery_keys(1'003);
  for (std::size_t q = 0; q < 50; ++q) query_keys[q] = static_cast<std::int64_t>(q * 20);
  std::iota(gallery_keys.begin(), gallery_keys.end(), 0);
  const RetrievalScores scores = rank_queries(queries, gallery, 67, answers_by_key(query_keys, gallery_keys));
  for (std::size_t q = 0; q < 50; ++q) EXPECT_EQ(scores.ranks[q], query_keys[q] + 1);
}

TEST(RankQueries, DoesNotDependOnWhatElseIsAsked) {
  const auto gallery = clustered_vectors(500, 33, 3, 3), queries = clustered_vectors(64, 33, 3, 4);
  const Keys query_keys = random_keys(64, 20, 1), gallery_keys = random_keys(500, 20, 2);
  const auto together = rank_queries(queries, gallery, 33, answers_by_key(query_keys, gallery_keys)).ranks;
  for (std::size_t q = 0; q < 64; ++q) {
    const std::span<const float> query(queries.data() + q * 33, 33);
    EXPECT_EQ(rank_queries(query, gallery, 33, answers_by_key({&query_keys[q], 1}, gallery_keys)).ranks.front(),
              together[q]);
  }
}

TEST(RankQueries, ClosedForms) {
  const std::vector<float> gallery = {1, 0, 0, 1, -1, 0};
  const Keys keys = {0, 1, 2};
  const std::vector<float> queries = {1, 0, 1, 0, 1, 0};  // all ask in the direction of item 0
  const RetrievalScores scores = rank_queries(queries, gallery, 2, answers_by_key(keys, keys));
  EXPECT_EQ(scores.ranks, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_DOUBLE_EQ(scores.recall_at_1, 1. / 3);
  EXPECT_DOUBLE_EQ(scores.recall_at_5, 1);
  EXPECT_DOUBLE_EQ(scores.median_rank, 2);
  EXPECT_DOUBLE_EQ(scores.mean_rank, 2);
  // A model that gives everything the same vector has no luck: item n is found at place n + 1.
  const std::vector<float> same(6, .5F);
  EXPECT_EQ(rank_queries(same, same, 2, answers_by_key(keys, keys)).ranks,
            (std::vector<std::int64_t>{1, 2, 3}));
}

TEST(RankQueries, RefusesWhatHasNoMeaning) {
  std::vector<float> two(4, 1);
  const Keys keys = {1, 2}, other = {1, 3};
  expect_error([&] { rank_queries(two, two, 2, answers_by_key(keys, other)); }, 3,
               {"query 1", "no right answer"});
  expect_error([&] { rank_queries({}, two, 2, answers_by_key({}, keys)); }, 3, {"queries", "empty"});
  expect_error([&] { rank_queries(two, {}, 2, answers_by_key(keys, {})); }, 3, {"gallery items", "empty"});
  expect_error([&] { rank_queries(two, two, 3, answers_by_key(keys, keys)); }, 1,
               {"queries", "4 numbers", "rows of 3"});
  std::vector<float> bad = two;
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  expect_error([&] { rank_queries(two, bad, 2, answers_by_key(keys, keys)); }, 1,
               {"gallery items, row 1", "not finite"});
  expect_error([&] { scores_of_ranks({}, 1); }, 3, {"no queries"});
  expect_error([&] { rank_queries(two, two, 2, {.group = {0}, .rows = {{0}}}); }, 1, {"2 with answers for 1"});
  expect_error(
      [&] {
        rank_queries(two, two, 2, {.group = {0, 0}, .rows = {{0, 2}}});
      },
      1, {"outside of the 2"});
}

TEST(ScoresOfRanks, ClosedForms) {
  const RetrievalScores scores = scores_of_ranks({1, 5, 6, 10, 11, 100}, 200);
  EXPECT_EQ(scores.queries, 6);
  EXPECT_EQ(scores.gallery, 200);
  EXPECT_DOUBLE_EQ(scores.recall_at_1, 1. / 6);
  EXPECT_DOUBLE_EQ(scores.recall_at_5, 2. / 6);
  EXPECT_DOUBLE_EQ(scores.recall_at_10, 4. / 6);
  EXPECT_DOUBLE_EQ(scores.median_rank, 8);  // between 6 and 10
  EXPECT_DOUBLE_EQ(scores.mean_rank, 133. / 6);
  EXPECT_DOUBLE_EQ(scores_of_ranks({7, 1, 3}, 9).median_rank, 3);
  EXPECT_DOUBLE_EQ(scores_of_ranks({4}, 9).median_rank, 4);
}

TEST(ScoresOfRanks, AsJson) {
  const RetrievalScores scores = scores_of_ranks({1, 1, 7, 30}, 40);
  const nlohmann::json json = to_json(scores);
  EXPECT_EQ(json.size(), 8U);
  EXPECT_EQ(json.at("recall_at_1"), .5);
  EXPECT_EQ(json.at("recall_at_10"), .75);
  EXPECT_EQ(json.at("median_rank"), 4);
  EXPECT_EQ(json.at("mean_rank"), 39. / 4);
  EXPECT_EQ(json.at("recall_at_5_interval").size(), 2U);
  EXPECT_EQ(json.at("recall_at_1_interval").at(0), scores.recall_at_1_interval.low);
  EXPECT_EQ(json.at("recall_at_10_interval").at(1), scores.recall_at_10_interval.high);
}

TEST(Bootstrap, OfEqualValuesIsTheValue) {
  const std::vector<double> ones(50, 1);
  EXPECT_EQ(bootstrap_mean(ones).low, 1);
  EXPECT_EQ(bootstrap_mean(ones).high, 1);
  expect_error([] { bootstrap_mean({}); }, 3, {"no values"});
}

TEST(Bootstrap, IsAFunctionOfValuesAndSeed) {
  std::vector<double> values(100, 0);
  std::fill_n(values.begin(), 40, 1);
  const Interval a = bootstrap_mean(values), b = bootstrap_mean(values), c = bootstrap_mean(values, 2, 100);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_TRUE(a.low != c.low || a.high != c.high);
}

// Normal approximation: mean +- 1.96 sqrt(p (1 - p) / n).
TEST(Bootstrap, IsAsWideAsTheBinomialSays) {
  std::vector<double> values(1'000, 0);
  std::fill_n(values.begin(), 300, 1);
  const Interval interval = bootstrap_mean(values);
  const double half = 1.96 * std::sqrt(.3 * .7 / 1'000);
  EXPECT_NEAR(interval.low, .3 - half, .004);
  EXPECT_NEAR(interval.high, .3 + half, .004);
}

TEST(Bootstrap, CoversTheTruthAboutAsOftenAsItSays) {
  int covered = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    Random random(seed_of(7, "sample", sample));
    std::vector<double> values(150);
    for (double& value : values) value = random.chance(.4);
    const Interval interval = bootstrap_mean(values, sample, 500);
    covered += interval.low <= .4 && .4 <= interval.high;
  }
  EXPECT_GE(covered, 180);  // 190 expected, standard deviation 3
  EXPECT_LE(covered, 199);
}

}  // namespace
}  // namespace duet
