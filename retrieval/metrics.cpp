#include "retrieval/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"
#include "retrieval/rows.h"

extern "C" int sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                      const int* k, const float* alpha, const float* a, const int* lda, const float* b,
                      const int* ldb, const float* beta, float* c, const int* ldc);

namespace duet {
namespace {

constexpr std::int64_t kBlockScores = 1 << 24;  // 64 MB of scores at a time

// Vectors as [count, dimension].
struct Side {
  std::span<const float> rows;
  std::int64_t dimension;
  const float* row(std::int64_t i) const { return rows.data() + i * dimension; }
  std::int64_t count() const { return static_cast<std::int64_t>(rows.size()) / dimension; }
};

void check_side(const Side& side, std::string_view name) {
  if (side.dimension < 1 || static_cast<std::int64_t>(side.rows.size()) % side.dimension != 0)
    fail(Exit::failed, name, cat("hold ", side.rows.size(), " numbers, which are no rows of ", side.dimension));
  if (side.count() == 0) fail(Exit::data, name, "are empty", "retrieval needs at least one on each side");
  if (side.count() > std::numeric_limits<int>::max()) fail(Exit::data, name, "are more than 2,147,483,647");
  if (const std::int64_t row = first_row_not_finite(side.rows, side.dimension); row >= 0) {
    fail(Exit::failed, cat(name, ", row ", row), "holds a number that is not finite", "the model has diverged");
  }
}

double largest_norm(const Side& side) {
  double largest = 0;
  for (std::int64_t i = 0; i < side.count(); ++i) {
    largest = std::max(largest,
                       std::sqrt(static_cast<double>(inner_product(side.row(i), side.row(i), side.dimension))));
  }
  return largest;
}

// scores[b, n] of queries first..first+count-1 against the whole gallery.
void score_block(const Side& queries, const Side& gallery, std::int64_t first, std::int64_t count,
                 float* scores) {
  const int n = static_cast<int>(gallery.count()), b = static_cast<int>(count),
            d = static_cast<int>(gallery.dimension);
  const float one = 1, zero = 0;
  sgemm_("T", "N", &n, &b, &d, &one, gallery.rows.data(), &d, queries.row(first), &d, &zero, scores, &n);
}

// The rank of one query. `scores` are off by at most `slack`: what lies nearer than that to the best right
// answer is computed again in the one order of summation that every exact score has.
std::int64_t rank_of(const float* query, const Side& gallery, const std::vector<std::int64_t>& answers,
                     const float* scores, float slack) {
  float best_seen = -std::numeric_limits<float>::infinity();
  for (const std::int64_t row : answers) best_seen = std::max(best_seen, scores[row]);
  Hit best{.row = -1, .score = -std::numeric_limits<float>::infinity()};
  for (const std::int64_t row : answers) {
    if (scores[row] < best_seen - slack) continue;
    const Hit hit{row, inner_product(query, gallery.row(row), gallery.dimension)};
    if (best.row < 0 || comes_before(hit, best)) best = hit;
  }
  const float high = best.score + slack, low = best.score - slack;
  std::int64_t above = 0, undecided = 0;
  for (std::int64_t n = 0; n < gallery.count(); ++n) {
    above += scores[n] > high;
    undecided += scores[n] >= low && scores[n] <= high;
  }
  for (std::int64_t n = 0; undecided > 0; ++n) {
    if (scores[n] < low || scores[n] > high) continue;
    --undecided;
    above += comes_before({n, inner_product(query, gallery.row(n), gallery.dimension)}, best);
  }
  return above + 1;
}

void check_answers(const Answers& answers, std::int64_t queries, std::int64_t gallery) {
  if (static_cast<std::int64_t>(answers.group.size()) != queries)
    fail(Exit::failed, "queries", cat("are ", queries, " with answers for ", answers.group.size()));
  for (const auto& rows : answers.rows) {
    const bool inside =
        std::all_of(rows.begin(), rows.end(), [&](auto row) { return row >= 0 && row < gallery; });
    if (!inside) fail(Exit::failed, "answers", cat("lie outside of the ", gallery, " gallery items"));
  }
  for (std::size_t q = 0; q < answers.group.size(); ++q) {
    if (answers.rows.at(static_cast<std::size_t>(answers.group[q])).empty())
      fail(Exit::data, cat("query ", q), "has no right answer in the gallery", "leave such queries out");
  }
}

double median(std::vector<std::int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return static_cast<double>(*middle);
  return (static_cast<double>(*middle) + static_cast<double>(*std::max_element(values.begin(), middle))) / 2;
}

struct Recall {
  double value;
  Interval interval;
};

Recall recall_at(std::int64_t k, const std::vector<std::int64_t>& ranks) {
  std::vector<double> found;
  found.reserve(ranks.size());
  for (const std::int64_t rank : ranks) found.push_back(rank <= k ? 1 : 0);
  return {std::accumulate(found.begin(), found.end(), 0.0) / static_cast<double>(found.size()),
          bootstrap_mean(found)};
}

}  // namespace

Answers answers_by_key(std::span<const std::int64_t> query_keys, std::span<const std::int64_t> gallery_keys) {
  Answers answers;
  std::unordered_map<std::int64_t, std::int64_t> group_of;
  for (const std::int64_t key : query_keys)
    answers.group.push_back(
        group_of.try_emplace(key, static_cast<std::int64_t>(group_of.size())).first->second);
  answers.rows.resize(group_of.size());
  for (std::size_t n = 0; n < gallery_keys.size(); ++n) {
    if (const auto group = group_of.find(gallery_keys[n]); group != group_of.end())
      answers.rows[static_cast<std::size_t>(group->second)].push_back(static_cast<std::int64_t>(n));
  }
  return answers;
}

RetrievalScores rank_queries(std::span<const float> queries, std::span<const float> gallery,
                             std::int64_t dimension, const Answers& answers) {
  const Side asked{queries, dimension}, shown{gallery, dimension};
  check_side(asked, "queries");
  check_side(shown, "gallery items");
  check_answers(answers, asked.count(), shown.count());
  // Two sums of D products differ by at most 2 D u |q| |n| (Higham 2002, section 3.1), u = 2^-24; doubled again
  // for the rounding of the bound itself.
  const double bound =
      4.0 * static_cast<double>(dimension) * std::ldexp(1.0, -24) * largest_norm(asked) * largest_norm(shown);
  const auto slack = static_cast<float>(bound);
  std::vector<std::int64_t> ranks(answers.group.size());
  const std::int64_t block = std::clamp<std::int64_t>(kBlockScores / shown.count(), 1, asked.count());
  std::vector<float> scores(static_cast<std::size_t>(block * shown.count()));
  for (std::int64_t first = 0; first < asked.count(); first += block) {
    const std::int64_t count = std::min(block, asked.count() - first);
    score_block(asked, shown, first, count, scores.data());
#pragma omp parallel for schedule(dynamic, 8)
    for (std::int64_t b = 0; b < count; ++b) {
      const auto q = static_cast<std::size_t>(first + b);
      ranks[q] = rank_of(asked.row(first + b), shown, answers.rows[static_cast<std::size_t>(answers.group[q])],
                         scores.data() + b * shown.count(), slack);
    }
  }
  return scores_of_ranks(std::move(ranks), shown.count());
}

RetrievalScores scores_of_ranks(std::vector<std::int64_t> ranks, std::int64_t gallery) {
  if (ranks.empty()) fail(Exit::data, "retrieval", "has no queries");
  RetrievalScores scores;
  scores.queries = static_cast<std::int64_t>(ranks.size());
  scores.gallery = gallery;
  const Recall at_1 = recall_at(1, ranks), at_5 = recall_at(5, ranks), at_10 = recall_at(10, ranks);
  scores.recall_at_1 = at_1.value;
  scores.recall_at_5 = at_5.value;
  scores.recall_at_10 = at_10.value;
  scores.recall_at_1_interval = at_1.interval;
  scores.recall_at_5_interval = at_5.interval;
  scores.recall_at_10_interval = at_10.interval;
  scores.median_rank = median(ranks);
  scores.mean_rank = std::accumulate(ranks.begin(), ranks.end(), 0.0) / static_cast<double>(ranks.size());
  scores.ranks = std::move(ranks);
  return scores;
}

nlohmann::json to_json(const RetrievalScores& scores) {
  const auto pair = [](const Interval& interval) {
    return nlohmann::json::array({interval.low, interval.high});
  };
  return {{"recall_at_1", scores.recall_at_1},
          {"recall_at_5", scores.recall_at_5},
          {"recall_at_10", scores.recall_at_10},
          {"median_rank", scores.median_rank},
          {"mean_rank", scores.mean_rank},
          {"recall_at_1_interval", pair(scores.recall_at_1_interval)},
          {"recall_at_5_interval", pair(scores.recall_at_5_interval)},
          {"recall_at_10_interval", pair(scores.recall_at_10_interval)}};
}

Interval bootstrap_mean(std::span<const double> values, std::uint64_t seed, int resamples) {
  if (values.empty()) fail(Exit::data, "bootstrap", "has no values");
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return {*least, *least};  // every resample is the same
  Random random(seed_of(seed, "bootstrap"));
  std::vector<double> means;
  means.reserve(static_cast<std::size_t>(resamples));
  for (int resample = 0; resample < resamples; ++resample) {
    double sum = 0;
    for (std::size_t draw = 0; draw < values.size(); ++draw) sum += values[random.below(values.size())];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    return means[static_cast<std::size_t>(std::lround(share * static_cast<double>(resamples - 1)))];
  };
  return {at(.025), at(.975)};
}

}  // namespace duet
