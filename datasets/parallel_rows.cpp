#include "datasets/parallel_rows.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace duet {

void parallel_rows(std::int64_t rows, int threads, const std::function<void(std::int64_t)>& each) {
  std::atomic<std::int64_t> next = 0;
  std::exception_ptr first;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::int64_t row = next++; row < rows; row = next++) each(row);
    } catch (...) {
      next = rows;
      const std::scoped_lock lock(mutex);
      if (!first) first = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::int64_t i = 1; i < std::min<std::int64_t>(threads, rows); ++i) others.emplace_back(work);
    work();
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace duet
