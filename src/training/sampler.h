// Which rows a step sees: a pure function of (seed, step). Every epoch is a new permutation of the data; with
// per_concept > 1, up to that many pictures of a concept stand next to each other, so that they meet in a
// batch.
#pragma once
#include <cstdint>
#include <mutex>
#include <vector>

namespace duet {

class Sampler {
 public:
  // groups[row]: the row's concept id; at least a batch of rows (check_data() saw to it).
  Sampler(std::vector<std::int64_t> groups, std::int64_t batch, std::int64_t per_concept, std::uint64_t seed);

  std::vector<std::int64_t> rows(std::int64_t step) const;  // `batch` distinct rows; any thread
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }

 private:
  std::vector<std::int64_t> permutation(std::int64_t epoch) const;

  std::vector<std::vector<std::int64_t>> concepts_;  // rows by concept, in order of first appearance
  std::int64_t batch_, per_concept_, steps_per_epoch_;
  std::uint64_t seed_;
  mutable std::mutex mutex_;  // guards the epoch at hand: workers ask for steps of at most two
  mutable std::int64_t epochs_[2] = {-1, -1};
  mutable std::vector<std::int64_t> permutations_[2];
};

}  // namespace duet
