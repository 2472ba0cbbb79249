// The vectors of a bundle: a file of little-endian float32, row-major, without a header, so that the mapped
// file is the matrix. Everything exact (scores, order, ranks) is computed with the one inner_product here.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace duet {

struct Hit {
  std::int64_t row = 0;
  float score = 0;  // exact inner product on the rows
};

// The order of every result: score descending, then row ascending.
inline bool comes_before(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

// Always sums in the same order, so that equal vectors have equal scores wherever they stand: a BLAS's kernels
// do not promise this, neither among batch sizes nor among CPUs.
float inner_product(const float* a, const float* b, std::int64_t dimension);

// The first row that holds a number that is not finite, or -1. `rows` is [count, dimension].
std::int64_t first_row_not_finite(std::span<const float> rows, std::int64_t dimension);

class Rows {
 public:
  // Error(artifact) when the file is not of count * dimension floats.
  Rows(const std::filesystem::path& file, std::int64_t count, std::int64_t dimension);
  std::int64_t count() const { return count_; }
  std::int64_t dimension() const { return dimension_; }
  const float* data() const { return data_; }  // [count, dimension]
  std::span<const float> row(std::int64_t row) const;

  // The k best rows for a query of `dimension` numbers; all of them when there are fewer.
  std::vector<Hit> search(std::span<const float> query, std::int64_t k) const;
  // The same among these distinct rows only.
  std::vector<Hit> search_among(std::span<const std::int64_t> rows, std::span<const float> query,
                                std::int64_t k) const;

 private:
  MappedFile file_;
  const float* data_ = nullptr;
  std::int64_t count_, dimension_;
};

void write_rows(const std::filesystem::path& file, std::span<const float> rows);

}  // namespace duet
