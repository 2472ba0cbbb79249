#include "training/sampler.h"

#include <algorithm>
#include <map>

#include "core/random.h"

namespace duet {

Sampler::Sampler(std::vector<std::int64_t> groups, std::int64_t batch, std::int64_t per_concept,
                 std::uint64_t seed)
    : batch_(batch), per_concept_(per_concept), seed_(seed) {
  const auto rows = static_cast<std::int64_t>(groups.size());
  TORCH_CHECK(batch <= rows, "a batch of ", batch, " of ", rows, " rows");
  steps_per_epoch_ = rows / batch;
  std::map<std::int64_t, std::size_t> position;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto [entry, added] = position.emplace(groups[static_cast<std::size_t>(row)], concepts_.size());
    if (added) concepts_.emplace_back();
    concepts_[entry->second].push_back(row);
  }
}

// Each concept's rows are shuffled and cut into runs of per_concept; the runs are shuffled and joined.
std::vector<std::int64_t> Sampler::permutation(std::int64_t epoch) const {
  Random random(seed_of(seed_, "sampler", epoch));
  std::vector<std::vector<std::int64_t>> runs;
  for (std::vector<std::int64_t> rows : concepts_) {
    random.shuffle(std::span(rows));
    for (std::size_t begin = 0; begin < rows.size(); begin += static_cast<std::size_t>(per_concept_)) {
      const std::size_t end = std::min(rows.size(), begin + static_cast<std::size_t>(per_concept_));
      runs.emplace_back(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                        rows.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  random.shuffle(std::span(runs));
  std::vector<std::int64_t> order;
  for (const auto& run : runs) order.insert(order.end(), run.begin(), run.end());
  return order;
}

std::vector<std::int64_t> Sampler::rows(std::int64_t step) const {
  const std::int64_t epoch = step / steps_per_epoch_;
  const auto slot = static_cast<std::size_t>(epoch % 2);
  const std::lock_guard lock(mutex_);
  if (epochs_[slot] != epoch) {
    permutations_[slot] = permutation(epoch);
    epochs_[slot] = epoch;
  }
  const auto begin = permutations_[slot].begin() + (step % steps_per_epoch_) * batch_;
  return {begin, begin + batch_};
}

}  // namespace duet
