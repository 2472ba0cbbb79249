#include "evaluation/validation_part.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "datasets/row_groups.h"

namespace duet {
namespace {

// Rows that stay together.
struct Unit {
  std::uint64_t order = 0;
  std::vector<std::int64_t> rows;
  std::map<std::int64_t, std::int64_t> items;  // of each class; those of none are a class behind the last
};

std::vector<std::int64_t> classes_of(const Labelled& items, std::size_t row) {
  if (!items.labels[row].empty()) return items.labels[row];
  return {static_cast<std::int64_t>(items.classes.size())};
}

std::vector<Unit> units_of(const Labelled& items) {
  RowGroups together(items.groups.size());
  together.unite_equal(items.groups);
  together.unite_equal(items.contents);
  std::map<std::size_t, Unit> units;
  for (std::size_t row = 0; row < items.groups.size(); ++row) {
    Unit& unit = units[together.of(row)];
    const std::uint64_t order = hash64(cat("validation ", items.contents[row]));
    unit.order = unit.rows.empty() ? order : std::min(unit.order, order);
    unit.rows.push_back(static_cast<std::int64_t>(row));
    for (const std::int64_t label : classes_of(items, row)) ++unit.items[label];
  }
  std::vector<Unit> all;
  for (auto& [first, unit] : units) all.push_back(std::move(unit));
  std::ranges::sort(all, {}, &Unit::order);
  return all;
}

class Chooser {
 public:
  Chooser(const Labelled& items, double share)
      : all_(items.classes.size() + 1), taken_(all_.size()), most_(all_.size()) {
    for (std::size_t row = 0; row < items.labels.size(); ++row) {
      for (const std::int64_t label : classes_of(items, row)) ++all_[static_cast<std::size_t>(label)];
    }
    for (std::size_t c = 0; c < all_.size(); ++c)
      most_[c] = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(all_[c])));
  }

  bool has_none(std::int64_t label) const { return taken_[static_cast<std::size_t>(label)] == 0; }
  bool fits(const Unit& unit) const { return within(unit, most_, 0); }
  bool leaves_some(const Unit& unit) const { return within(unit, all_, 1); }
  void take(const Unit& unit) {
    for (const auto& [label, items] : unit.items) taken_[static_cast<std::size_t>(label)] += items;
  }

 private:
  bool within(const Unit& unit, const std::vector<std::int64_t>& limits, std::int64_t below) const {
    return std::ranges::all_of(unit.items, [&](const auto& own) {
      const auto c = static_cast<std::size_t>(own.first);
      return taken_[c] + own.second <= limits[c] - below;
    });
  }
  std::vector<std::int64_t> all_, taken_, most_;
};

}  // namespace

ValidationPart split_off_validation(const Labelled& items, double share) {
  const std::vector<Unit> units = units_of(items);
  Chooser chooser(items, share);
  std::vector<bool> chosen(units.size());
  const auto take = [&](std::size_t at) {
    chooser.take(units[at]);
    chosen[at] = true;
  };
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (chooser.fits(units[i]) && chooser.leaves_some(units[i])) take(i);
  }
  // A class whose groups are all larger than its share gives the smallest of them.
  for (std::int64_t label = 0; label < static_cast<std::int64_t>(items.classes.size()); ++label) {
    if (!chooser.has_none(label)) continue;
    std::size_t smallest = units.size();
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (!units[i].items.contains(label) || !chooser.leaves_some(units[i])) continue;
      if (smallest == units.size() || units[i].rows.size() < units[smallest].rows.size()) smallest = i;
    }
    if (smallest < units.size()) take(smallest);
  }
  ValidationPart part;
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::vector<std::int64_t>& rows = chosen[i] ? part.validation : part.train;
    rows.insert(rows.end(), units[i].rows.begin(), units[i].rows.end());
  }
  if (part.validation.empty())
    fail(Exit::data, items.source.manifest.string(),
         "no class has items of two concepts, one to learn from and one to choose on", "give --validation");
  std::ranges::sort(part.train);
  std::ranges::sort(part.validation);
  return part;
}

}  // namespace duet
