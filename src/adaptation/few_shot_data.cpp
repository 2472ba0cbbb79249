#include "adaptation/few_shot_data.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_set>
#include <utility>

#include "adaptation/split_units.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr std::size_t kNamed = 10;  // items or classes in a message

using Rows = std::vector<std::int64_t>;

const std::string& at(const std::vector<std::string>& values, std::int64_t row) {
  return values[static_cast<std::size_t>(row)];
}

std::string place_of(const Labelled& items, std::int64_t row) {
  return items.source.place_of(items.source.pairs[static_cast<std::size_t>(row)]);
}

std::string first_of(std::vector<std::string> names) {
  const std::size_t all = names.size();
  if (all > kNamed) names.resize(kNamed);
  return cat(joined(names), all > kNamed ? cat(" and ", all - kNamed, " more") : "");
}

// Some item for each class, or there is nothing to learn it from.
void check_all_there(const Labelled& items, const std::vector<std::string>& classes) {
  std::set<std::string> missing(classes.begin(), classes.end());
  for (const auto& labels : items.labels) missing.erase(at(items.classes, labels.front()));
  if (missing.empty()) return;
  fail(Exit::data, items.source.manifest.string(),
       cat("has no item of ", missing.size(), missing.size() == 1 ? " class" : " classes",
           " of the test: ", first_of({missing.begin(), missing.end()})),
       "take these out of the test, or add items of them");
}

void drop(Rows& rows, const BadRows& bad) {
  std::unordered_set<std::int64_t> unreadable;
  for (const auto& [row, why] : bad) unreadable.insert(row);
  std::erase_if(rows, [&](std::int64_t row) { return unreadable.contains(row); });
}

// Takes out the items of other classes; [rows kept] their rows before.
Rows keep_classes(Labelled& items, Features& features, const std::vector<std::string>& classes) {
  const std::set<std::string_view> kept(classes.begin(), classes.end());
  Rows rows;
  for (std::int64_t row = 0; row < items.size(); ++row)
    if (kept.contains(at(items.classes, class_of(items, row)))) rows.push_back(row);
  items = with_classes(subset(items, rows), classes);
  for (torch::Tensor* part : {&features.tower, &features.rows})
    if (part->defined()) *part = part->index_select(0, torch::tensor(rows, torch::kLong));
  const BadRows bad = std::exchange(features.bad, {});
  for (const auto& [row, why] : bad)
    if (const auto found = std::ranges::lower_bound(rows, row); found != rows.end() && *found == row)
      features.bad.emplace_back(found - rows.begin(), why);
  return rows;
}

// `rows` in the order that `kept` gave them; those that are not among these are gone.
Rows renumbered(const Rows& rows, const Rows& kept) {
  Rows found;
  for (const std::int64_t row : rows)
    if (const auto place = std::ranges::lower_bound(kept, row); place != kept.end() && *place == row)
      found.push_back(place - kept.begin());
  return found;
}

std::string places_of(const Labelled& items, const Rows& rows) {
  std::vector<std::string> places;
  for (const std::int64_t row : rows) places.push_back(place_of(items, row));
  return first_of(std::move(places));
}

[[noreturn]] void fail_replayed(const std::string& file, const std::string& items, std::string_view what) {
  fail(Exit::data, file, cat(what, ": ", items), "remove the file, or name another one by --splits");
}

// Of each unit of `of` the first rows on either side, where it has some on both.
Rows straddling(const Units& of, const Rows& one, const Rows& other) {
  Rows found;
  for (const Unit& unit : of.all) {
    std::int64_t here = -1, there = -1;
    for (const auto& [label, rows] : unit.by_class)
      for (const std::int64_t row : rows) {
        if (here < 0 && std::ranges::binary_search(one, row)) here = row;
        if (there < 0 && std::ranges::binary_search(other, row)) there = row;
      }
    if (here >= 0 && there >= 0) found.insert(found.end(), {here, there});
  }
  return found;
}

}  // namespace

std::vector<std::string> FewShotData::test_groups() const {
  std::vector<std::string> groups;
  for (const std::int64_t row : pool.test) groups.push_back(at(test().groups, row));
  return groups;
}

FewShotData few_shot_data(Labelled items, double test_share) {
  FewShotData data{.items = std::move(items), .own_test = {}, .pool = {}};
  data.pool = make_pool(data.items, test_share);
  return data;
}

FewShotData few_shot_data(Labelled items, Labelled test, bool leave_out_shared) {
  check_one_label_each(items);
  check_all_there(items, test.classes);
  FewShotData data{.items = only_classes(items, test.classes), .own_test = std::move(test), .pool = {}};
  data.pool = make_pool(data.items, *data.own_test, leave_out_shared);
  return data;
}

void drop_unreadable(FewShotData& data) {
  drop(data.pool.rows, data.features.bad);
  drop(data.pool.test, data.test_features().bad);
  if (data.pool.test.empty())
    fail(Exit::data, data.test().source.manifest.string(), "no picture of the test part can be read",
         "mend them, or name other items by --test");
}

void keep_classes(FewShotData& data, const std::vector<std::string>& classes) {
  const Rows kept = keep_classes(data.items, data.features, classes);
  data.pool.rows = renumbered(data.pool.rows, kept);
  data.pool.test = renumbered(
      data.pool.test, data.own_test ? keep_classes(*data.own_test, data.own_test_features, classes) : kept);
  if (data.pool.kept_for_test.empty()) return;
  data.pool.kept_for_test.assign(classes.size(), 0);
  for (const std::int64_t row : data.pool.test)
    ++data.pool.kept_for_test[static_cast<std::size_t>(class_of(data.items, row))];
}

void leave_out_small(FewShotData& data, std::int64_t shots, std::int64_t seeds, double validation_share) {
  while (true) {
    const std::vector<std::string> small =
        too_small_classes(data.items, data.pool, shots, seeds, validation_share);
    if (small.empty()) return;
    std::vector<std::string> kept;
    std::ranges::set_difference(data.classes(), small, std::back_inserter(kept));
    if (kept.size() < 2)
      fail(Exit::data, data.items.source.manifest.string(),
           cat(kept.empty() ? "no class is" : "one class alone is", " large enough for ", shots,
               shots == 1 ? " shot" : " shots", " and validation"),
           "ask for fewer --shots, or add items");
    log_warning(cat(small.size(), small.size() == 1 ? " class is" : " classes are",
                    " left out, being too small for ", shots, shots == 1 ? " shot" : " shots",
                    " and validation: ", first_of(small)));
    keep_classes(data, kept);
  }
}

void check_replayed(const FewShotData& data, const FewShotSplits& splits, const std::string& file) {
  Rows all = data.pool.rows, unfit;
  if (!data.own_test) all.insert(all.end(), data.pool.test.begin(), data.pool.test.end());
  std::ranges::sort(all);
  std::ranges::set_difference(splits.pool.rows, all, std::back_inserter(unfit));
  if (!unfit.empty())
    fail_replayed(file, places_of(data.items, unfit),
                  data.own_test
                      ? "draws from items whose concept or content is in the test data, or in two classes"
                      : "draws from items that stand in two classes");
  if (!data.own_test) {
    Rows used = splits.pool.rows;
    used.insert(used.end(), splits.pool.test.begin(), splits.pool.test.end());
    std::ranges::sort(used);
    if (const Rows found = straddling(units_of(data.items, used), splits.pool.rows, splits.pool.test);
        !found.empty())
      fail_replayed(file, places_of(data.items, found), "asks for concepts or contents that it draws from");
  }
  const Units units = units_of(data.items, splits.pool.rows);
  for (const FewShotSplit& split : splits.splits)
    if (const Rows found = straddling(units, split.support, split.validation); !found.empty())
      fail_replayed(file, places_of(data.items, found),
                    cat("support and validation of ", split.shots, split.shots == 1 ? " shot" : " shots",
                        ", seed ", split.seed, ", share concepts or contents"));
}

void check_readable(const FewShotData& data, const std::vector<FewShotSplit>& splits) {
  std::set<std::string> found;
  for (const auto& [row, why] : data.features.bad) {
    for (const FewShotSplit& split : splits) {
      for (const Rows* rows : {&split.support, &split.validation}) {
        if (std::ranges::binary_search(*rows, row)) found.insert(place_of(data.items, row));
      }
    }
  }
  if (found.empty()) return;
  fail(Exit::data, "splits",
       cat(found.size(), " of their pictures cannot be read: ", first_of({found.begin(), found.end()})),
       "mend them, or draw new splits: name another file by --splits");
}

Labelled without_labels(const Labelled& items) {
  Labelled blind = items;
  blind.classes.clear();
  blind.labels.clear();
  blind.groups.clear();
  blind.source.columns.clear();
  for (Pair& pair : blind.source.pairs) {
    pair.columns.clear();
    pair.concept_key.clear();
    if (!items.texts) pair.captions.clear();
  }
  return blind;
}

}  // namespace duet
