// Sets of rows that must not be parted by a split (union-find).
#pragma once
#include <cstddef>
#include <numeric>
#include <unordered_map>
#include <vector>

namespace duet {

class RowGroups {
 public:
  explicit RowGroups(std::size_t rows) : parent_(rows) { std::iota(parent_.begin(), parent_.end(), 0); }
  // The row that stands for its set; which one depends on the order of unions.
  std::size_t of(std::size_t row) {
    while (parent_[row] != row) row = parent_[row] = parent_[parent_[row]];
    return row;
  }
  void unite(std::size_t a, std::size_t b) { parent_[of(a)] = of(b); }
  template <class Key>
  void unite_equal(const std::vector<Key>& keys) {
    std::unordered_map<Key, std::size_t> first;
    for (std::size_t row = 0; row < keys.size(); ++row)
      unite(row, first.try_emplace(keys[row], row).first->second);
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace duet
