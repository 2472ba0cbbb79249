// Rows shared out among threads of their own, for passes over a whole source.
#pragma once
#include <cstdint>
#include <functional>

namespace duet {

// Calls each(row) for 0..rows-1 from `threads` threads (at least one). The first exception is thrown again
// here, after all threads have stopped.
void parallel_rows(std::int64_t rows, int threads, const std::function<void(std::int64_t)>& each);

}  // namespace duet
