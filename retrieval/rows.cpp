#include "retrieval/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are mapped as they lie in the file");

// Below this many multiplications a second thread costs more than it saves.
constexpr std::int64_t kParallelWork = 1 << 22;

// Keeps the k best of the hits offered; the worst kept one stands at the front of the heap.
class BestHits {
 public:
  explicit BestHits(std::int64_t k) : k_(static_cast<std::size_t>(k)) {}

  void offer(const Hit& hit) {
    if (heap_.size() < k_) {
      heap_.push_back(hit);
      std::push_heap(heap_.begin(), heap_.end(), comes_before);
    } else if (comes_before(hit, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), comes_before);
      heap_.back() = hit;
      std::push_heap(heap_.begin(), heap_.end(), comes_before);
    }
  }

  std::vector<Hit> in_order() {
    std::sort_heap(heap_.begin(), heap_.end(), comes_before);
    return std::move(heap_);
  }

 private:
  std::size_t k_;
  std::vector<Hit> heap_;
};

}  // namespace

float inner_product(const float* __restrict a, const float* __restrict b, std::int64_t dimension) {
  constexpr int kLanes =
      16;  // four registers of SSE: independent sums hide the latency of an addition. AVX2 was no faster
  float sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= dimension; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (int lane = 0; i < dimension; ++i, ++lane) sums[lane] += a[i] * b[i];
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

std::int64_t first_row_not_finite(std::span<const float> rows, std::int64_t dimension) {
  const auto found = std::find_if(rows.begin(), rows.end(), [](float value) { return !std::isfinite(value); });
  return found == rows.end() ? -1 : (found - rows.begin()) / dimension;
}

Rows::Rows(const fs::path& file, std::int64_t count, std::int64_t dimension)
    : file_(file), count_(count), dimension_(dimension) {
  const std::size_t row_bytes = static_cast<std::size_t>(dimension) * sizeof(float);
  const std::size_t bytes = file_.bytes().size();
  if (bytes % row_bytes != 0 || bytes / row_bytes != static_cast<std::size_t>(count)) {
    fail(Exit::artifact, file.string(),
         cat("is damaged: it does not hold ", count, " rows of ", dimension, " numbers"),
         "use another copy of it");
  }
  data_ = reinterpret_cast<const float*>(file_.bytes().data());
}

std::span<const float> Rows::row(std::int64_t row) const {
  if (row < 0 || row >= count_) {
    fail(Exit::usage, cat("row ", row), "is not in the bundle", cat("rows are 0 to ", count_ - 1));
  }
  return {data_ + row * dimension_, static_cast<std::size_t>(dimension_)};
}

std::vector<Hit> Rows::search(std::span<const float> query, std::int64_t k) const {
  std::vector<float> scores(static_cast<std::size_t>(count_));
  const float* numbers = query.data();
#pragma omp parallel for if (count_ * dimension_ > kParallelWork)
  for (std::int64_t row = 0; row < count_; ++row) {
    scores[static_cast<std::size_t>(row)] = inner_product(data_ + row * dimension_, numbers, dimension_);
  }
  BestHits best(std::min(k, count_));
  for (std::int64_t row = 0; row < count_; ++row) best.offer({row, scores[static_cast<std::size_t>(row)]});
  return best.in_order();
}

std::vector<Hit> Rows::search_among(std::span<const std::int64_t> rows, std::span<const float> query,
                                    std::int64_t k) const {
  BestHits best(std::min(k, static_cast<std::int64_t>(rows.size())));
  for (const std::int64_t candidate : rows) {
    best.offer({candidate, inner_product(row(candidate).data(), query.data(), dimension_)});
  }
  return best.in_order();
}

void write_rows(const fs::path& file, std::span<const float> rows) {
  write_file(file, {reinterpret_cast<const char*>(rows.data()), rows.size_bytes()});
}

}  // namespace duet
