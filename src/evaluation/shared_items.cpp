#include "evaluation/shared_items.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr std::size_t kListed = 10;

std::string listed(std::vector<std::string> names, std::string_view between) {
  const std::size_t more = names.size() - std::min(names.size(), kListed);
  names.resize(names.size() - more);
  return cat(joined(names, between), more > 0 ? cat(between, "... and ", more, " more") : "");
}

std::string place_of(const Labelled& items, std::int64_t row) {
  return items.source.place_of(items.source.pairs[static_cast<std::size_t>(row)]);
}

std::string data_of(const Labelled& items) { return items.source.manifest.string(); }

void check_all_left(const Labelled& items, const Labelled& left, const Labelled& asked) {
  if (left.size() == 0)
    fail(Exit::data, data_of(items), cat("nothing is left of it: ", data_of(asked), " holds all its items"),
         "give other data for one of the two");
  std::set<std::int64_t> lost;
  for (const auto& labels : items.labels) lost.insert(labels.begin(), labels.end());
  for (const auto& labels : left.labels) {
    for (const std::int64_t label : labels) lost.erase(label);
  }
  if (lost.empty()) return;
  std::vector<std::string> names;
  for (const std::int64_t label : lost) names.push_back(items.classes[static_cast<std::size_t>(label)]);
  fail(Exit::data, data_of(items),
       cat("nothing is left of ", lost.size(), lost.size() == 1 ? " class" : " classes",
           ", all of whose items ", data_of(asked), " holds: ", listed(names, ", ")),
       "give it other items of them");
}

}  // namespace

SharedRows shared_rows(const Labelled& learned, const Labelled& asked) {
  std::unordered_map<std::string_view, std::int64_t> places;
  for (std::int64_t row = 0; row < asked.size(); ++row)
    places.try_emplace(asked.contents[static_cast<std::size_t>(row)], row);
  SharedRows shared;
  for (std::int64_t row = 0; row < learned.size(); ++row) {
    const std::string& content = learned.contents[static_cast<std::size_t>(row)];
    const auto found = places.find(content);
    if (!content.empty() && found != places.end()) shared.emplace(row, found->second);
  }
  return shared;
}

void refuse_shared(const Labelled& learned, const Labelled& asked, const SharedRows& shared) {
  if (shared.empty()) return;
  std::vector<std::string> list;
  for (const auto& [row, other] : shared)
    list.push_back(cat(place_of(learned, row), " = ", place_of(asked, other)));
  fail(Exit::data, data_of(learned),
       cat(shared.size(), " of its ", learned.size(), asked.texts ? " texts" : " pictures",
           shared.size() == 1 ? " stands in " : " stand in ", data_of(asked),
           " too, with the same content:\n  ", listed(list, "\n  "), "\n"),
       "take them out of one of the two, or --leave-out-shared learns from none of them");
}

Labelled apart_from(Labelled learned, const Labelled& asked, bool leave_out) {
  const SharedRows shared = shared_rows(learned, asked);
  if (shared.empty()) return learned;
  if (!leave_out) refuse_shared(learned, asked, shared);
  log_info(cat(shared.size(), " of ", learned.size(), " items of ", data_of(learned),
               " are left out: ", data_of(asked), " holds them too"));
  std::vector<std::int64_t> others;
  for (std::int64_t row = 0; row < learned.size(); ++row) {
    if (!shared.contains(row)) others.push_back(row);
  }
  Labelled left = subset(learned, others);
  check_all_left(learned, left, asked);
  return left;
}

std::vector<std::string> contradictions(const Labelled& items) {
  struct First {
    std::int64_t row = 0;
    bool is_told = false;
  };
  std::unordered_map<std::string_view, First> seen;
  std::vector<std::string> list;
  for (std::int64_t row = 0; row < items.size(); ++row) {
    const auto i = static_cast<std::size_t>(row);
    if (items.contents[i].empty()) continue;
    First& first = seen.try_emplace(items.contents[i], First{row}).first->second;
    if (first.is_told || items.labels[i] == items.labels[static_cast<std::size_t>(first.row)]) continue;
    first.is_told = true;
    list.push_back(cat(place_of(items, first.row), " = ", place_of(items, row)));
  }
  return list;
}

void warn_of_contradictions(const Labelled& items) {
  const std::vector<std::string> list = contradictions(items);
  if (list.empty()) return;
  log_warning(cat(data_of(items), ": ", list.size(), items.texts ? " text" : " picture",
                  list.size() == 1 ? " stands" : "s stand",
                  " there again under another label, one of which is wrong:\n  ", listed(list, "\n  ")));
}

void tell_shared_concepts(const Labelled& learned, const Labelled& asked) {
  const std::unordered_set<std::string_view> known(learned.groups.begin(), learned.groups.end());
  const auto shared =
      std::ranges::count_if(asked.groups, [&](const std::string& group) { return known.contains(group); });
  if (shared > 0)
    log_info(cat(shared, " of ", asked.size(), " items of ", data_of(asked), " share a concept with ",
                 data_of(learned)));
}

void warn_of_missing_concepts(const std::vector<const Labelled*>& all) {
  std::vector<std::string> with, without;
  for (const Labelled* items : all) (has_concepts(*items) ? with : without).push_back(data_of(*items));
  if (with.empty() || without.empty()) return;
  log_warning(cat(listed(without, ", "), without.size() == 1 ? " has" : " have", " no concepts, as ",
                  listed(with, ", "), with.size() == 1 ? " has" : " have",
                  ": of what stands in both only equal items are known; name the column by --concept-column"));
}

}  // namespace duet
