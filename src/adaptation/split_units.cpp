#include "adaptation/split_units.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "adaptation/split.h"
#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/random.h"
#include "datasets/row_groups.h"

namespace duet {
namespace {

void count(const Labelled& items, Units& units) {
  units.counts.assign(items.classes.size(), 0);
  units.concepts = units.counts;
  for (const Unit& unit : units.all)
    for (const auto& [label, own] : unit.by_class) {
      units.counts[static_cast<std::size_t>(label)] += static_cast<std::int64_t>(own.size());
      ++units.concepts[static_cast<std::size_t>(label)];
    }
}

}  // namespace

std::int64_t class_of(const Labelled& items, std::int64_t row) { return item_at(items.labels, row).front(); }

void check_one_label_each(const Labelled& items) {
  for (std::int64_t row = 0; row < items.size(); ++row)
    if (const std::size_t labels = item_at(items.labels, row).size(); labels != 1)
      fail(Exit::data, items.source.place_of(item_at(items.source.pairs, row)), cat("has ", labels, " labels"),
           "few-shot classification takes items with one label each");
}

Units units_of(const Labelled& items, const RowList& rows) {
  RowGroups groups(static_cast<std::size_t>(items.size()));
  groups.unite_equal(items.groups);
  for (const auto& [content, same] : rows_by_content(items))
    for (const std::int64_t row : same)
      groups.unite(static_cast<std::size_t>(same.front()), static_cast<std::size_t>(row));
  std::unordered_map<std::size_t, Unit> by_root;
  for (std::int64_t row = 0; row < items.size(); ++row) {
    Unit& unit = by_root[groups.of(static_cast<std::size_t>(row))];
    unit.key = std::min(unit.key, hash64(item_at(items.groups, row)));
  }
  for (const std::int64_t row : rows)
    by_root.at(groups.of(static_cast<std::size_t>(row))).by_class[class_of(items, row)].push_back(row);

  Units units;
  for (auto& [root, unit] : by_root)
    if (!unit.by_class.empty()) units.all.push_back(std::move(unit));
  std::ranges::sort(units.all, {}, &Unit::key);
  count(items, units);
  std::vector<Unit> contents;
  for (Unit& unit : units.all)
    std::erase_if(unit.by_class, [&](const auto& own) {
      const auto& [label, own_rows] = own;
      if (item_at(units.concepts, label) > 1 || own_rows.size() < 2) return false;
      units.alone.push_back(item_at(items.classes, label));
      for (const std::int64_t row : own_rows)
        contents.push_back({hash64(item_at(items.contents, row)), {{label, {row}}}});
      return true;
    });
  std::erase_if(units.all, [](const Unit& unit) { return unit.by_class.empty(); });
  std::ranges::move(contents, std::back_inserter(units.all));
  count(items, units);
  return units;
}

std::vector<const Unit*> in_order(const Units& units, std::uint64_t seed, std::string_view what) {
  std::vector<std::pair<std::uint64_t, const Unit*>> places;
  for (const Unit& unit : units.all) places.emplace_back(seed_of(seed, what, unit.key), &unit);
  std::ranges::sort(places, [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->key) < std::tie(b.first, b.second->key);
  });
  std::vector<const Unit*> order;
  for (const auto& [place, unit] : places) order.push_back(unit);
  return order;
}

}  // namespace duet
