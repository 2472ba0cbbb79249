#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "adaptation/split.h"
#include "adaptation/split_units.h"
#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"

namespace duet {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "duet-splits";
constexpr int kVersion = 1;

std::string checksum_of(json splits) {
  splits.erase("checksum");
  return checksum(splits.dump());
}

// Rows in the order of their contents, so that the file says nothing of the manifest's.
RowList by_content(RowList rows, const Labelled& items) {
  std::ranges::sort(rows, {}, [&](std::int64_t row) { return std::pair(item_at(items.contents, row), row); });
  return rows;
}

json items_of(const RowList& rows, const Labelled& items) {
  json contents = json::array(), labels = json::array(), groups = json::array();
  for (const std::int64_t row : rows) {
    contents.push_back(item_at(items.contents, row));
    labels.push_back(item_at(items.classes, class_of(items, row)));
    groups.push_back(item_at(items.groups, row));
  }
  return {{"contents", contents}, {"labels", labels}, {"concepts", groups}};
}

json read_checked(const fs::path& file) {
  const std::string text = read_file(file);
  json splits = json::parse(text, nullptr, false);
  if (!splits.is_object() || splits.value("format", json()) != kFormat)
    fail(Exit::artifact, file.string(), "is no file of few-shot splits", "duet fewshot --splits writes one");
  const json version = splits.value("version", json());
  if (version.is_number_integer() && version > kVersion)
    fail(Exit::artifact, file.string(), cat("was written by a newer duet (version ", version.dump(), ")"),
         "use that version of duet");
  if (splits.value("checksum", json()) != checksum_of(splits))
    fail(Exit::artifact, file.string(), "was changed since it was written: its checksum does not match",
         "use another copy of it, or remove it: new splits are drawn");
  return splits;
}

// The rows of contents that a file names; of equal ones the first, the second and so on.
class Finder {
 public:
  Finder(const Labelled& items, const fs::path& file)
      : items_(items), file_(file), rows_(rows_by_content(items)) {}

  RowList find(const std::vector<std::string>& contents) {
    RowList found;
    std::vector<std::string> missing;
    std::map<std::string_view, std::size_t> uses;
    for (const std::string& content : contents) {
      const auto rows = rows_.find(content);
      const std::size_t use = uses[content]++;
      if (rows == rows_.end() || use >= rows->second.size())
        missing.push_back(content);
      else
        found.push_back(rows->second[use]);
    }
    if (!missing.empty())
      fail(Exit::data, items_.source.manifest.string(),
           cat(missing.size(), " of ", contents.size(), " items of ", file_.string(),
               " are not there, or changed: the first has the content ", missing.front(), " (XXH3-128)"),
           "give the data that the splits were drawn from");
    return found;
  }

 private:
  const Labelled& items_;
  const fs::path& file_;
  std::map<std::string, RowList> rows_;
};

void check_equal(const std::string& what, const std::string& then, const std::string& now, std::int64_t row,
                 const Labelled& items, const fs::path& file) {
  if (then == now) return;
  fail(Exit::data, items.source.place_of(item_at(items.source.pairs, row)),
       cat("its ", what, " is '", now, "', but was '", then, "' when ", file.string(), " was written"),
       cat("give the same ", what, "s, or remove the file: new splits are drawn"));
}

RowList chosen(const json& indices, const RowList& rows) {
  RowList found;
  for (const json& index : indices) found.push_back(rows.at(index.get<std::size_t>()));
  std::ranges::sort(found);
  return found;
}

FewShotSplits restored(const json& read, const fs::path& file, const Labelled& items, const Labelled& test) {
  if (read.at("classes") != json(items.classes))
    fail(Exit::data, items.source.manifest.string(),
         cat("has other classes than ", file.string(), ": ", items.classes.size(), " instead of ",
             read.at("classes").size()),
         "give the data that the splits were drawn from; --leave-out-small, too, where it left classes out");
  const auto contents = read.at("items").at("contents").get<std::vector<std::string>>();
  const RowList rows = Finder(items, file).find(contents);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string &label = read.at("items").at("labels").at(i).get_ref<const std::string&>(),
                      &group = read.at("items").at("concepts").at(i).get_ref<const std::string&>();
    check_equal("label", label, item_at(items.classes, class_of(items, rows[i])), rows[i], items, file);
    check_equal("concept", group, item_at(items.groups, rows[i]), rows[i], items, file);
  }
  FewShotSplits splits;
  splits.pool.rows = rows;
  std::ranges::sort(splits.pool.rows);
  const auto asked = read.at("test").get<std::vector<std::string>>();
  splits.pool.test = Finder(test, file).find(asked);
  std::ranges::sort(splits.pool.test);
  const std::set<std::string_view> drawn(contents.begin(), contents.end());
  if (std::ranges::any_of(asked, [&](const std::string& content) { return drawn.contains(content); }))
    fail(Exit::artifact, file.string(), "holds an item that is both drawn from and asked");
  for (const json& one : read.at("splits"))
    splits.splits.push_back({one.at("shots").get<std::int64_t>(), one.at("seed").get<std::uint64_t>(),
                             chosen(one.at("support"), rows), chosen(one.at("validation"), rows)});
  return splits;
}

template <class Read>
auto undamaged(const fs::path& file, Read read) {
  try {
    return read(read_checked(file));
  } catch (const json::exception& reason) {
    fail(Exit::artifact, file.string(), cat("is damaged: ", reason.what()));
  } catch (const std::out_of_range&) {
    fail(Exit::artifact, file.string(), "is damaged: it names items that it does not list");
  }
}

}  // namespace

void write_splits(const fs::path& file, const Labelled& items, const Labelled& test,
                  const FewShotSplits& splits) {
  check_outside_sealed(file);
  const RowList rows = by_content(splits.pool.rows, items);
  std::map<std::int64_t, std::size_t> places;
  for (const std::int64_t row : rows) places.emplace(row, places.size());
  const auto places_of = [&](const RowList& part) {
    std::vector<std::size_t> found;
    for (const std::int64_t row : part) found.push_back(places.at(row));
    std::ranges::sort(found);
    return found;
  };
  json written{{"format", kFormat},        {"version", kVersion},
               {"classes", items.classes}, {"items", items_of(rows, items)},
               {"test", json::array()},    {"splits", json::array()}};
  for (const std::int64_t row : by_content(splits.pool.test, test))
    if (!item_at(test.contents, row).empty()) written["test"].push_back(item_at(test.contents, row));
  for (const FewShotSplit& split : splits.splits)
    written["splits"].push_back({{"shots", split.shots},
                                 {"seed", split.seed},
                                 {"support", places_of(split.support)},
                                 {"validation", places_of(split.validation)}});
  written["checksum"] = checksum_of(written);
  replace_file(file, written.dump() + "\n");
}

FewShotSplits read_splits(const fs::path& file, const Labelled& items, const Labelled& test) {
  return undamaged(file, [&](const json& read) { return restored(read, file, items, test); });
}

std::vector<std::string> classes_of_splits(const fs::path& file) {
  return undamaged(file, [](const json& read) { return read.at("classes").get<std::vector<std::string>>(); });
}

}  // namespace duet
