// Recall@K and ranks with several right answers per query, and bootstrap intervals over queries (Efron 1979).
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace duet {

struct Interval {
  double low = 0, high = 0;
};

// rank: 1 + number of gallery items that score higher than the best right answer; an item of equal score counts
// as higher when its row is smaller (ties are deterministic and not in our favour by chance).
struct RetrievalScores {
  std::int64_t queries = 0, gallery = 0;
  double recall_at_1 = 0, recall_at_5 = 0, recall_at_10 = 0;
  double median_rank = 0, mean_rank = 0;
  // 95 %, percentile bootstrap, 2,000 resamples, fixed seed
  Interval recall_at_1_interval, recall_at_5_interval, recall_at_10_interval;
  std::vector<std::int64_t> ranks;  // by query
};

// The right answers: queries of one group share theirs.
struct Answers {
  std::vector<std::int64_t> group;              // [Q]: a query's row of `rows`
  std::vector<std::vector<std::int64_t>> rows;  // gallery rows, any order
};
// Gallery item n answers query q when query_keys[q] == gallery_keys[n].
Answers answers_by_key(std::span<const std::int64_t> query_keys, std::span<const std::int64_t> gallery_keys);

// queries [Q, D], gallery [N, D] row-major. Error(data) without queries, and for a query without any right
// answer in the gallery; Error(failed) for numbers that are not finite. Blocked sgemm; what it leaves undecided
// is computed by inner_product (rows.h), so that ranks depend neither on the BLAS nor on threads nor on the
// size of a block.
RetrievalScores rank_queries(std::span<const float> queries, std::span<const float> gallery,
                             std::int64_t dimension, const Answers& answers);
RetrievalScores scores_of_ranks(std::vector<std::int64_t> ranks, std::int64_t gallery);
// The keys: recall_at_1, ..., recall_at_1_interval: [low, high]. Counts are named by whoever prints
// them.
nlohmann::json to_json(const RetrievalScores& scores);

// Mean of 0/1 (or any) values with its 95 % percentile bootstrap interval. Error(data) without values.
Interval bootstrap_mean(std::span<const double> values, std::uint64_t seed = 1, int resamples = 2000);

}  // namespace duet
