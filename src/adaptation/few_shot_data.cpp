#include "adaptation/few_shot_data.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "core/error.h"
#include "core/format.h"

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

void check_single_labels(const Labelled& items) {
  for (std::int64_t row = 0; row < items.size(); ++row) {
    if (items.labels[static_cast<std::size_t>(row)].size() != 1)
      fail(Exit::data, place_of(items, row), "has several labels", "few-shot methods learn one label an item");
  }
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

}  // namespace

std::vector<std::string> FewShotData::test_groups() const {
  std::vector<std::string> groups;
  for (const std::int64_t row : pool.test) groups.push_back(at(test().groups, row));
  return groups;
}

FewShotData few_shot_data(Labelled items, double test_share) {
  check_single_labels(items);
  FewShotData data{.items = std::move(items), .own_test = {}, .pool = {}};
  data.pool = make_pool(data.items, test_share);
  return data;
}

FewShotData few_shot_data(Labelled items, Labelled test, bool leave_out_shared) {
  check_single_labels(items);
  check_single_labels(test);
  check_all_there(items, test.classes);
  FewShotData data{.items = only_classes(items, test.classes), .own_test = std::move(test), .pool = {}};
  data.pool = make_pool(data.items, *data.own_test, leave_out_shared);
  return data;
}

void drop_unreadable(FewShotData& data) {
  drop(data.pool.rows, data.features.bad);
  drop(data.pool.test, data.test_features().bad);
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
