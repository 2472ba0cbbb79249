#include "retrieval/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../support/temporary_folder.h"
#include "core/random.h"
#include "vectors.h"

namespace duet {
namespace {

Rows mapped(const TemporaryFolder& folder, const std::vector<float>& rows, std::int64_t dimension) {
  write_rows(folder / "rows.f32", rows);
  return Rows(folder / "rows.f32", static_cast<std::int64_t>(rows.size()) / dimension, dimension);
}

std::vector<std::int64_t> row_numbers(const std::vector<Hit>& hits) {
  std::vector<std::int64_t> rows;
  for (const Hit& hit : hits) rows.push_back(hit.row);
  return rows;
}

TEST(InnerProduct, EqualsTheSumInDoubleForEveryLength) {
  Random random(1);
  for (std::int64_t dimension = 1; dimension <= 70; ++dimension) {
    std::vector<float> a, b;
    for (std::int64_t i = 0; i < dimension; ++i) {
      a.push_back(static_cast<float>(random.normal()));
      b.push_back(static_cast<float>(random.normal()));
    }
    EXPECT_NEAR(inner_product(a.data(), b.data(), dimension),
                std::inner_product(a.begin(), a.end(), b.begin(), 0.0), 1e-5)
        << dimension;
  }
}

TEST(Rows, TheFileIsTheMatrix) {
  const TemporaryFolder folder;
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  const Rows read = mapped(folder, rows, 3);
  EXPECT_EQ(fs::file_size(folder / "rows.f32"), 24U);
  EXPECT_EQ(read.row(1)[0], 4);
  EXPECT_EQ(read.row(1).size(), 3U);
  expect_error([&] { read.row(2); }, 2, {"row 2", "0 to 1"});
  expect_error([&] { read.row(-1); }, 2, {"row -1"});
  expect_error([&] { Rows(folder / "rows.f32", 2, 4); }, 4, {"rows.f32", "2 rows of 4"});
  expect_error([&] { Rows(folder / "rows.f32", 1, 3); }, 4, {"rows.f32"});
}

TEST(Rows, TiesAreOrderedByRowAndAgreeWithBruteForce) {
  const TemporaryFolder folder;
  const std::vector<float> rows = whole_vectors(500, 6, 3), queries = whole_vectors(40, 6, 4);
  const Rows read = mapped(folder, rows, 6);
  for (std::size_t q = 0; q < 40; ++q) {
    const std::span<const float> query(queries.data() + q * 6, 6);
    for (const std::int64_t k : {1, 2, 10, 499, 500, 1000}) {
      EXPECT_EQ(row_numbers(read.search(query, k)), brute_force(rows, query, k)) << q << " " << k;
    }
  }
}

TEST(Rows, ManyRowsOnSeveralThreadsScoreAsOneDoes) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(70'000, 64, 50, 5);  // above the threshold for threads
  const Rows read = mapped(folder, rows, 64);
  for (const Hit& hit : read.search(read.row(7), 100)) {
    EXPECT_EQ(hit.score, inner_product(read.row(7).data(), read.row(hit.row).data(), 64));
  }
  EXPECT_EQ(read.search(read.row(7), 1).front().row, 7);
}

TEST(Rows, EqualVectorsHaveEqualScoresWhereverTheyStand) {
  const TemporaryFolder folder;
  std::vector<float> rows = clustered_vectors(300, 67, 5, 6);
  for (const std::size_t row : {17, 150, 299})
    std::copy_n(rows.begin() + 5 * 67, 67, rows.begin() + static_cast<std::ptrdiff_t>(row) * 67);
  const Rows read = mapped(folder, rows, 67);
  const auto hits = read.search(read.row(5), 4);
  EXPECT_EQ(row_numbers(hits), (std::vector<std::int64_t>{5, 17, 150, 299}));
  EXPECT_EQ(hits.front().score, hits.back().score);
}

TEST(Rows, SearchAmongSomeKeepsToThem) {
  const TemporaryFolder folder;
  const std::vector<float> rows = whole_vectors(100, 5, 8);
  const Rows read = mapped(folder, rows, 5);
  const std::vector<std::int64_t> some = {90, 3, 44, 12, 61};
  const auto all = row_numbers(read.search(read.row(3), 100));
  std::vector<std::int64_t> expected;
  std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
               [&](std::int64_t row) { return std::find(some.begin(), some.end(), row) != some.end(); });
  EXPECT_EQ(row_numbers(read.search_among(some, read.row(3), 9)), expected);
  expected.resize(2);
  EXPECT_EQ(row_numbers(read.search_among(some, read.row(3), 2)), expected);
}

TEST(Rows, FirstRowNotFinite) {
  std::vector<float> rows(12, 1);
  EXPECT_EQ(first_row_not_finite(rows, 4), -1);
  rows[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_row_not_finite(rows, 4), 1);
  rows[0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_row_not_finite(rows, 4), 0);
}

}  // namespace
}  // namespace duet
