#include "adaptation/split.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_set>

#include "adaptation/split_units.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "evaluation/shared_items.h"

namespace duet {
namespace {

constexpr std::size_t kShown = 10, kClassesShown = 30;

std::string data_of(const Labelled& items) { return items.source.manifest.string(); }

// "a, b, c and 12 more"
std::string some_of(std::vector<std::string> names, std::string_view between = ", ",
                    std::size_t shown = kShown) {
  const std::size_t more = names.size() - std::min(names.size(), shown);
  names.resize(names.size() - more);
  return cat(joined(names, between), more > 0 ? cat(" and ", more, " more") : "");
}

// Rows that may be drawn, ascending: see FewShotPool::rows.
RowList drawable(const Labelled& items) {
  check_one_label_each(items);
  RowList rows;
  for (const auto& [content, same] : rows_by_content(items)) {
    const auto is_of_first = [&](std::int64_t row) {
      return class_of(items, row) == class_of(items, same.front());
    };
    if (std::ranges::all_of(same, is_of_first)) rows.push_back(same.front());
  }
  const std::vector<std::string> twice = contradictions(items);
  const bool one = twice.size() == 1;
  if (!twice.empty())
    log_warning(cat(data_of(items), ": ", twice.size(), items.texts ? " text" : " picture",
                    one ? " stands in two classes and is" : "s stand in two classes and are", " not drawn:\n  ",
                    some_of(twice, "\n  ")));
  std::ranges::sort(rows);
  return rows;
}

void warn_of_single_concepts(const Labelled& items, const Units& units, std::string_view parts) {
  if (units.alone.empty()) return;
  const bool one = units.alone.size() == 1;
  log_warning(cat(data_of(items), ": ", units.alone.size(), one ? " class has" : " classes have",
                  " a single concept: ", parts, " share it there, though no ", items.texts ? "text" : "picture",
                  " (", some_of(units.alone), ")"));
}

// Whole units for the test part.
std::unordered_set<const Unit*> choose_test(const Units& units, double share) {
  const std::vector<const Unit*> order = in_order(units, 0, "few-shot test");
  std::vector<std::int64_t> taken(units.counts.size());
  std::unordered_set<const Unit*> chosen;
  const auto take = [&](const Unit* unit) {
    chosen.insert(unit);
    for (const auto& [label, rows] : unit->by_class)
      taken[static_cast<std::size_t>(label)] += static_cast<std::int64_t>(rows.size());
  };
  const auto fits = [&](const Unit* unit, const auto& most) {
    return std::ranges::all_of(unit->by_class, [&](const auto& own) {
      return item_at(taken, own.first) + static_cast<std::int64_t>(own.second.size()) <= most(own.first);
    });
  };
  const auto target = [&](std::int64_t label) {
    const std::int64_t count = item_at(units.counts, label);
    return std::min(std::max<std::int64_t>(1, std::llround(share * static_cast<double>(count))), count - 1);
  };
  for (const Unit* unit : order)
    if (fits(unit, target)) take(unit);
  const auto all_but_one = [&](std::int64_t label) { return item_at(units.counts, label) - 1; };
  for (std::int64_t label = 0; label < static_cast<std::int64_t>(taken.size()); ++label) {
    if (item_at(taken, label) > 0) continue;
    const Unit* smallest = nullptr;
    for (const Unit* unit : order)
      if (unit->size_of(label) > 0 && fits(unit, all_but_one) &&
          (smallest == nullptr || unit->size_of(label) < smallest->size_of(label)))
        smallest = unit;
    if (smallest != nullptr) take(smallest);
  }
  return chosen;
}

// Error(data) where leaving out what the test data holds leaves nothing of a class.
void check_all_left(const Labelled& items, const RowList& before, const RowList& after) {
  std::set<std::int64_t> lost;
  for (const std::int64_t row : before) lost.insert(class_of(items, row));
  for (const std::int64_t row : after) lost.erase(class_of(items, row));
  if (lost.empty()) return;
  std::vector<std::string> names;
  for (const std::int64_t label : lost) names.push_back(item_at(items.classes, label));
  fail(Exit::data, data_of(items),
       cat("nothing is left to draw for ", names.size(), names.size() == 1 ? " class" : " classes",
           ", since the test data holds all their concepts: ", some_of(names)),
       "where other pictures of the same things are to be told, --concept-column '' keeps only equal ones "
       "apart");
}

// The smallest number of rows, at least `wanted`, that whole units can make, from each number below `wanted`
// on, with the first i of the units: what tells whether passing a unit over still leads anywhere.
class Reachable {
 public:
  Reachable(const std::vector<const Unit*>& units, std::int64_t label, std::int64_t wanted)
      : wanted_(wanted), best_{RowList(static_cast<std::size_t>(wanted), kNever)} {
    for (const Unit* unit : units) {
      RowList next = best_.back();
      for (std::int64_t taken = 0; taken < wanted; ++taken) {
        std::int64_t& least = next[static_cast<std::size_t>(taken)];
        least = std::min(least, from(best_.size() - 1, taken + unit->size_of(label)));
      }
      best_.push_back(std::move(next));
    }
  }
  std::int64_t from(std::size_t units, std::int64_t taken) const {
    return taken >= wanted_ ? taken : item_at(best_[units], taken);
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::int64_t wanted_;
  std::vector<RowList> best_;
};

// The units of a seed in their order, and which of them are validation's.
class Plan {
 public:
  Plan(const Units& units, std::uint64_t seed, std::int64_t shots, std::int64_t wanted)
      : units_(units),
        order_(in_order(units, seed, "few-shot")),
        shots_(shots),
        wanted_(wanted),
        taken_(units.counts.size()),
        concepts_(units.counts.size()),
        of_class_(units.counts.size()) {
    for (const Unit* unit : order_)
      for (const auto& [label, rows] : unit->by_class)
        of_class_[static_cast<std::size_t>(label)].push_back(unit);
    take_shared();
    for (std::size_t label = 0; label < taken_.size(); ++label)
      if (!take_alone(static_cast<std::int64_t>(label))) too_few_.push_back(static_cast<std::int64_t>(label));
  }

  const RowList& too_few() const { return too_few_; }  // classes
  // Units with items of the class, in the order in which they are drawn from.
  std::vector<const Unit*> part(std::int64_t label, bool validation) const {
    std::vector<const Unit*> units;
    for (const Unit* unit : item_at(of_class_, label))
      if (validation_.contains(unit) == validation) units.push_back(unit);
    if (validation) std::ranges::reverse(units);
    return units;
  }

 private:
  std::int64_t most(std::int64_t label) const { return item_at(units_.counts, label) - shots_; }
  bool fits(const Unit* unit) const {
    return std::ranges::all_of(unit->by_class, [&](const auto& own) {
      return item_at(taken_, own.first) + static_cast<std::int64_t>(own.second.size()) <= most(own.first);
    });
  }
  void take(const Unit* unit) {
    validation_.insert(unit);
    for (const auto& [label, rows] : unit->by_class) {
      taken_[static_cast<std::size_t>(label)] += static_cast<std::int64_t>(rows.size());
      ++concepts_[static_cast<std::size_t>(label)];
    }
  }
  // Validation's share of a class's concepts is that of its items: four pictures of one thing choose badly.
  bool is_served(std::int64_t label) const {
    const std::int64_t share = item_at(units_.concepts, label) * wanted_ / (wanted_ + shots_);
    return item_at(taken_, label) >= wanted_ &&
           item_at(concepts_, label) >= std::clamp<std::int64_t>(share, 1, wanted_);
  }

  std::vector<const Unit*> alone(std::int64_t label) const {  // units of no other class
    std::vector<const Unit*> units = item_at(of_class_, label);
    std::erase_if(units, [](const Unit* unit) { return unit->is_shared(); });
    return units;
  }

  // Units of several classes, for those classes that have not enough of their own.
  void take_shared() {
    std::vector<bool> needs;
    for (std::size_t label = 0; label < taken_.size(); ++label) {
      const auto own = static_cast<std::int64_t>(label);
      const std::vector<const Unit*> units = alone(own);
      needs.push_back(Reachable(units, own, wanted_).from(units.size(), 0) > most(own));
    }
    const auto helps = [&](const auto& own) {
      return needs[static_cast<std::size_t>(own.first)] && !is_served(own.first);
    };
    for (auto unit = order_.rbegin(); unit != order_.rend(); ++unit)
      if ((*unit)->is_shared() && std::ranges::any_of((*unit)->by_class, helps) && fits(*unit)) take(*unit);
  }

  // Whole units from the end of the order; one is passed over where it would leave too few shots.
  bool take_alone(std::int64_t label) {
    const std::vector<const Unit*> units = alone(label);
    const Reachable reachable(units, label, wanted_);
    const std::int64_t& taken = item_at(taken_, label);
    for (std::size_t left = units.size(); left > 0 && !is_served(label); --left)
      if (reachable.from(left - 1, taken + units[left - 1]->size_of(label)) <= most(label))
        take(units[left - 1]);
    return taken >= wanted_ && taken <= most(label);
  }

  const Units& units_;
  std::vector<const Unit*> order_;
  std::int64_t shots_, wanted_;                 // of a class, for support and for validation
  std::vector<std::int64_t> taken_, concepts_;  // for validation, by class
  std::vector<std::vector<const Unit*>> of_class_;
  std::unordered_set<const Unit*> validation_;
  RowList too_few_;
};

// A class's first `wanted` rows: the first of each unit in turn, then the second.
RowList draw(const Labelled& items, const std::vector<const Unit*>& units, std::int64_t label,
             std::int64_t wanted, std::uint64_t seed) {
  std::vector<RowList> piles;
  for (const Unit* unit : units) {
    RowList& pile = piles.emplace_back(unit->by_class.at(label));
    std::ranges::sort(pile, {}, [&](std::int64_t row) {
      return std::pair(seed_of(seed, "few-shot item", item_at(items.contents, row)),
                       item_at(items.contents, row));
    });
  }
  RowList drawn;
  for (std::size_t turn = 0; static_cast<std::int64_t>(drawn.size()) < wanted; ++turn)
    for (const RowList& pile : piles)
      if (turn < pile.size() && static_cast<std::int64_t>(drawn.size()) < wanted) drawn.push_back(pile[turn]);
  return drawn;
}

// Classes that some seed finds too small.
std::set<std::int64_t> too_small(const Units& units, std::int64_t shots, std::int64_t seeds, double share) {
  std::set<std::int64_t> labels;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    const Plan plan(units, static_cast<std::uint64_t>(seed), shots, validation_shots(shots, share));
    labels.insert(plan.too_few().begin(), plan.too_few().end());
  }
  return labels;
}

// The most that all classes allow, below `shots`, which are too many: fewer never need more.
std::int64_t most_shots(const Units& units, std::int64_t shots, std::int64_t seeds, double share) {
  std::int64_t allowed = 0, refused = std::min(shots, *std::ranges::min_element(units.counts) + 1);
  while (refused - allowed > 1) {
    const std::int64_t middle = std::midpoint(allowed, refused);
    (too_small(units, middle, seeds, share).empty() ? allowed : refused) = middle;
  }
  return allowed;
}

// "'dog' has 3 of 2 concepts, besides 1 kept for the test"
std::string size_text(const Labelled& items, const Units& units, const FewShotPool& pool, std::int64_t label,
                      bool by_concept) {
  std::string text = cat("'", item_at(items.classes, label), "' has ", item_at(units.counts, label));
  if (by_concept) text += cat(" of ", item_at(units.concepts, label), " concepts");
  if (!pool.kept_for_test.empty())
    text += cat(", besides ", item_at(pool.kept_for_test, label), " kept for the test");
  return text;
}

[[noreturn]] void fail_too_few(const Labelled& items, const Units& units, const FewShotPool& pool,
                               std::int64_t shots, std::int64_t seeds, double share) {
  const std::set<std::int64_t> labels = too_small(units, shots, seeds, share);
  const std::int64_t validation = validation_shots(shots, share);
  const bool by_concept = std::ranges::any_of(
      labels, [&](std::int64_t label) { return item_at(units.counts, label) >= shots + validation; });
  std::vector<std::string> names;
  for (const std::int64_t label : labels) names.push_back(size_text(items, units, pool, label, by_concept));
  const std::int64_t largest = most_shots(units, shots, seeds, share);
  std::string remedy = largest > 0
                           ? cat("all classes allow at most ", largest, largest == 1 ? " shot" : " shots")
                           : "a class needs two items or more, of two concepts where there are concepts";
  if (!pool.kept_for_test.empty()) remedy += "; a smaller --test-share keeps fewer for the test";
  fail(Exit::data, data_of(items),
       cat(shots, shots == 1 ? " shot" : " shots", " and ", validation, " for validation",
           by_concept ? ", of other concepts," : "", " are more than ", names.size(),
           names.size() == 1 ? " class allows: " : " classes allow: ", some_of(names, "; ", kClassesShown)),
       cat(remedy, "; --leave-out-small goes on without such classes"));
}

}  // namespace

std::map<std::string, std::vector<std::int64_t>> rows_by_content(const Labelled& items) {
  std::map<std::string, RowList> rows;
  for (std::int64_t row = 0; row < items.size(); ++row)
    if (!item_at(items.contents, row).empty()) rows[item_at(items.contents, row)].push_back(row);
  const auto before = [&](std::int64_t a, std::int64_t b) {
    return std::tie(item_at(items.source.pairs, a).image, item_at(items.groups, a), item_at(items.labels, a)) <
           std::tie(item_at(items.source.pairs, b).image, item_at(items.groups, b), item_at(items.labels, b));
  };
  for (auto& [content, same] : rows) std::ranges::stable_sort(same, before);
  return rows;
}

FewShotPool make_pool(const Labelled& items, double test_share) {
  const Units units = units_of(items, drawable(items));
  warn_of_single_concepts(items, units, "what is learned from and the test part");
  const std::unordered_set<const Unit*> test = choose_test(units, test_share);
  FewShotPool pool;
  for (const Unit& unit : units.all)
    for (const auto& [label, rows] : unit.by_class)
      std::ranges::copy(rows, std::back_inserter(test.contains(&unit) ? pool.test : pool.rows));
  std::ranges::sort(pool.rows);
  std::ranges::sort(pool.test);
  pool.kept_for_test.resize(items.classes.size());
  for (const std::int64_t row : pool.test) ++pool.kept_for_test[static_cast<std::size_t>(class_of(items, row))];
  return pool;
}

FewShotPool make_pool(const Labelled& items, const Labelled& test, bool leave_out) {
  TORCH_CHECK(items.classes == test.classes, "pool and test data have other classes");
  FewShotPool pool;
  for (std::int64_t row = 0; row < test.size(); ++row) pool.test.push_back(row);
  check_one_label_each(test);
  const RowList rows = drawable(items);
  SharedRows shared = shared_rows(items, test);
  std::erase_if(shared, [&](const auto& one) { return !std::ranges::binary_search(rows, one.first); });
  if (!leave_out) refuse_shared(items, test, shared);
  const std::unordered_set<std::string> groups(test.groups.begin(), test.groups.end());
  std::unordered_set<std::string> contents(test.contents.begin(), test.contents.end());
  // What equals a picture of a concept of the test data is one, whatever concept it is filed under.
  for (std::int64_t row = 0; row < items.size(); ++row)
    if (groups.contains(item_at(items.groups, row))) contents.insert(item_at(items.contents, row));
  std::ranges::copy_if(rows, std::back_inserter(pool.rows), [&](std::int64_t row) {
    return !groups.contains(item_at(items.groups, row)) && !contents.contains(item_at(items.contents, row));
  });
  check_all_left(items, rows, pool.rows);
  if (const std::size_t out = rows.size() - pool.rows.size(); out > 0)
    log_info(cat(data_of(items), ": ", grouped(static_cast<std::int64_t>(out)), " of ",
                 grouped(static_cast<std::int64_t>(rows.size())),
                 " items are left out: their concepts or contents are in the test data"));
  return pool;
}

std::vector<std::string> too_small_classes(const Labelled& items, const FewShotPool& pool, std::int64_t shots,
                                           std::int64_t seeds, double validation_share) {
  std::vector<std::string> names;
  for (const std::int64_t label : too_small(units_of(items, pool.rows), shots, seeds, validation_share))
    names.push_back(item_at(items.classes, label));
  return names;
}

std::vector<FewShotSplit> make_splits(const Labelled& items, const FewShotPool& pool,
                                      const std::vector<std::int64_t>& shots, std::int64_t seeds,
                                      double validation_share) {
  TORCH_CHECK(!shots.empty() && std::ranges::min(shots) > 0 && seeds > 0);
  const Units units = units_of(items, pool.rows);
  warn_of_single_concepts(items, units, "support and validation");
  const std::int64_t most = std::ranges::max(shots);
  const auto held_out = [=](std::int64_t count) { return validation_shots(count, validation_share); };
  if (!too_small(units, most, seeds, validation_share).empty())
    fail_too_few(items, units, pool, most, seeds, validation_share);
  std::vector<FewShotSplit> splits;
  for (std::int64_t one = 1; one <= seeds; ++one) {
    const auto seed = static_cast<std::uint64_t>(one);
    const Plan plan(units, seed, most, held_out(most));
    std::vector<RowList> support, validation;  // by class, in the order of drawing
    for (std::int64_t label = 0; label < static_cast<std::int64_t>(items.classes.size()); ++label) {
      support.push_back(draw(items, plan.part(label, false), label, most, seed));
      validation.push_back(draw(items, plan.part(label, true), label, held_out(most), seed));
    }
    const auto first_of_each = [](const std::vector<RowList>& drawn, std::int64_t wanted) {
      RowList rows;
      for (const RowList& own : drawn) rows.insert(rows.end(), own.begin(), own.begin() + wanted);
      std::ranges::sort(rows);
      return rows;
    };
    for (const std::int64_t count : shots)
      splits.push_back(
          {count, seed, first_of_each(support, count), first_of_each(validation, held_out(count))});
  }
  return splits;
}

}  // namespace duet
