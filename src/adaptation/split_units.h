// What a split may not part: items that are linked by concepts or equal contents, however many links apart.
#pragma once
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/labelled.h"

namespace duet {

using RowList = std::vector<std::int64_t>;

template <class T>
const T& item_at(const std::vector<T>& items, std::int64_t row) {
  return items[static_cast<std::size_t>(row)];
}

std::int64_t class_of(const Labelled& items, std::int64_t row);  // of items with one label each
void check_one_label_each(const Labelled& items);                // Error(data) naming the first that has not

// Rows that stay on one side of a split, since they share concepts or contents.
struct Unit {
  std::uint64_t key = std::numeric_limits<std::uint64_t>::max();  // a function of what is in it
  std::map<std::int64_t, RowList> by_class;
  bool is_shared() const { return by_class.size() > 1; }
  std::int64_t size_of(std::int64_t label) const {
    const auto own = by_class.find(label);
    return own == by_class.end() ? 0 : static_cast<std::int64_t>(own->second.size());
  }
};

struct Units {
  std::vector<Unit> all;
  std::vector<std::int64_t> counts;    // of rows, by class
  std::vector<std::int64_t> concepts;  // of units, by class
  std::vector<std::string> alone;      // classes of a single concept, whose rows are units of their own
};

// Of `rows`, which have one label each. In an order that is a function of what is in them.
Units units_of(const Labelled& items, const RowList& rows);

// In the order of a hash of seed, what it is for, and what is in them.
std::vector<const Unit*> in_order(const Units& units, std::uint64_t seed, std::string_view what);

}  // namespace duet
