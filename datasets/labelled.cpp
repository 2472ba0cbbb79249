#include "datasets/labelled.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/formats/format.h"
#include "datasets/formats/table.h"
#include "datasets/parallel_rows.h"
#include "text/unicode.h"

namespace duet {
namespace {

const std::vector<std::string> kLabelColumns = {"label", "class", "category"};
const std::vector<std::string> kTextColumns = {"text", "sentence", "caption"};

std::vector<std::string> label_columns(const LabelledOptions& options) {
  return options.label_column.empty() ? kLabelColumns : std::vector{lower_case(options.label_column)};
}

bool names_concept(const LabelledOptions& options, std::string_view label_column) {
  return !options.concept_column.empty() &&
         lower_case(options.concept_column) != lower_case(label_column);  // else each class would be one thing
}

std::string content_of_picture(const Source& source, std::int64_t row) {
  if (source.draw) {
    const Image drawn = source.draw(row);
    return checksum(std::as_bytes(std::span(drawn.rgb)));
  }
  try {
    return checksum(read_picture(source.path_of(source.pairs[static_cast<std::size_t>(row)])));
  } catch (const BadImage&) {  // who needs its pixels says so
    return {};
  }
}

// No text holds a NUL.
std::string content_of_texts(const std::vector<std::string>& texts) {
  return checksum(joined(texts, std::string_view("\0", 1)));
}

// The same words in capitals or with other spaces are the same thing.
std::string group_of_texts(std::vector<std::string> texts) {
  for (std::string& text : texts) text = folded(text);
  return content_of_texts(texts);
}

void set_contents(Labelled& labelled, bool by_concept) {
  constexpr unsigned kThreads = 8;
  const std::vector<Pair>& pairs = labelled.source.pairs;
  labelled.contents.resize(pairs.size());
  labelled.groups.resize(pairs.size());
  parallel_rows(static_cast<std::int64_t>(pairs.size()),
                static_cast<int>(std::min(kThreads, std::thread::hardware_concurrency())),
                [&](std::int64_t row) {
                  const auto i = static_cast<std::size_t>(row);
                  std::string& content = labelled.contents[i];
                  content = labelled.texts ? content_of_texts(pairs[i].captions)
                                           : content_of_picture(labelled.source, row);
                  labelled.groups[i] = by_concept && !pairs[i].concept_key.empty() ? pairs[i].concept_key
                                       : labelled.texts  ? group_of_texts(pairs[i].captions)
                                       : content.empty() ? pairs[i].image
                                                         : content;
                });
}

// "a|b" -> a, b, composed: one tool's name of a class is the other's. With a separator an empty field is no
// label at all.
std::vector<std::string> names_in(std::string_view whole, const std::string& separator) {
  const std::string text = composed(trimmed(whole));
  if (separator.empty()) return {text};
  const std::string_view field = text;
  std::vector<std::string> names;
  if (field.empty()) return names;
  for (std::size_t begin = 0; begin <= field.size();) {
    const std::size_t end = std::min(field.find(separator, begin), field.size());
    names.emplace_back(trimmed(field.substr(begin, end - begin)));
    begin = end + separator.size();
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

// fields: what each row's label column holds
void set_labels(Labelled& labelled, const std::vector<std::string_view>& fields, const std::string& column,
                const LabelledOptions& options) {
  std::map<std::string, std::int64_t> classes;
  std::vector<std::vector<std::string>> names(fields.size());
  for (std::size_t row = 0; row < fields.size(); ++row) {
    names[row] = names_in(fields[row], options.separator);
    for (const std::string& name : names[row]) {
      if (name.empty())
        fail(Exit::data, labelled.source.place_of(labelled.source.pairs[row]),
             cat("an empty class name in '", column, "'"), "give it a class, or leave the row out");
      classes.emplace(name, 0);
    }
  }
  if (classes.size() < 2)
    fail(Exit::data, options.data,
         classes.empty() ? cat("'", column, "' is empty in every row")
                         : cat("there is one class only in '", column, "': '", classes.begin()->first, "'"),
         "there must be two or more to tell apart");
  for (auto& [name, index] : classes) {
    index = static_cast<std::int64_t>(labelled.classes.size());
    labelled.classes.push_back(name);
  }
  for (const std::vector<std::string>& own : names) {
    std::vector<std::int64_t>& labels = labelled.labels.emplace_back();
    for (const std::string& name : own) labels.push_back(classes.at(name));
  }
}

void check_concepts(const Source& source, const LabelledOptions& options) {
  const auto has_one = [](const Pair& pair) { return !pair.concept_key.empty(); };
  if (std::ranges::any_of(source.pairs, has_one)) return;
  fail(Exit::data, options.data,
       cat("no row has a concept: column '", options.concept_column, "' is empty or missing"),
       cat("other columns are: ", joined(source.columns)));
}

Labelled read_pictures(const LabelledOptions& options) {
  SourceOptions read{.data = options.data,
                     .root = options.root,
                     .concept_column = options.concept_column,
                     .label_columns = label_columns(options)};
  // Otherwise each folder would be a concept.
  if (is_image_folder(read)) read.concept_column.clear();
  Labelled labelled;
  Source& source = labelled.source = read_source(read, false);
  if (!source.has_pictures())
    fail(Exit::data, options.data, "is a text without pictures",
         "texts (--texts) are classified by a table with columns text and label");
  std::vector<std::string> lowered;
  for (const std::string& column : source.columns) lowered.push_back(lower_case(column));
  const auto found = first_of(lowered, read.label_columns);
  if (!found)  // not of a manifest, whose reader says so itself
    fail(Exit::data, options.data, cat("has no classes: no ", joined(read.label_columns)),
         source.columns.empty() ? std::string("put the pictures of each class into a folder of its own")
                                : cat("there are: ", joined(source.columns)));
  const std::string& column = source.columns[*found];

  std::vector<std::string_view> fields;
  for (const Pair& pair : source.pairs) {
    fields.push_back(pair.columns[*found]);
    if (fields.back().empty() && pair.line == 0)
      fail(Exit::data, source.place_of(pair), "lies in no folder of a class",
           "put the pictures of each class into a folder of its own");
  }
  set_labels(labelled, fields, column, options);
  const std::int64_t again = source.rows - static_cast<std::int64_t>(source.pairs.size());
  if (again > 0)
    log_info(cat(options.data, ": ", grouped(again), again == 1 ? " row names" : " rows name",
                 " a picture again, with the same label; it counts once"));
  log_info(cat(options.data, ": labels are taken from ",
               is_image_folder(read) ? "the first folders" : cat("column '", column, "'"), ": ",
               grouped(static_cast<std::int64_t>(labelled.classes.size())), " classes"));
  const bool by_concept = names_concept(options, column);
  if (options.concept_required && by_concept && !is_image_folder(read)) check_concepts(source, options);
  set_contents(labelled, by_concept);
  return labelled;
}

// Which column of a table of texts is what.
struct TextColumns {
  std::size_t text = 0, label = 0;
  std::optional<std::size_t> second, concept_field;
  std::vector<std::size_t> others;
};

TextColumns find_columns(const Header& header, const LabelledOptions& options) {
  TextColumns found;
  if (!options.text_column.empty()) {
    found.text = header.required(options.text_column);
  } else {
    const auto guessed = first_of(header.lowered, kTextColumns);
    if (!guessed) header.fail_without("texts", kTextColumns, "name another column with --text-column");
    found.text = *guessed;
    if (header.lowered[*guessed] != "text")
      log_info(cat(header.name, ": texts are taken from column '", header.columns[*guessed], "'"));
  }
  const auto label = first_of(header.lowered, label_columns(options));
  if (!label) header.fail_without("labels", label_columns(options), "name another column with --label-column");
  found.label = *label;
  if (!options.second_column.empty()) found.second = header.required(options.second_column);
  if (names_concept(options, header.columns[*label])) {
    const bool asked = options.concept_required || options.concept_column != LabelledOptions{}.concept_column;
    found.concept_field =
        asked ? header.required(options.concept_column) : position(header.lowered, options.concept_column);
  }
  for (std::size_t i = 0; i < header.columns.size(); ++i)
    if (i != found.text && i != found.second && i != found.concept_field) found.others.push_back(i);
  return found;
}

std::string text_in(const std::vector<std::string_view>& fields, std::size_t column, const Header& header,
                    const Records& records) {
  const std::string_view text = trimmed(fields[column]);
  if (text.empty())
    fail(Exit::data, records.place(), cat("'", header.columns[column], "' is empty"),
         "a text may not be empty: write one or leave the row out");
  return std::string(text);
}

Labelled read_texts(const LabelledOptions& options) {
  std::string bytes = read_bytes(options.data);
  check_is_table(bytes, options.data);
  const std::string text = text_of(std::move(bytes), options.data);
  const std::vector<std::string> labels = label_columns(options);
  const auto is_known = [&](std::string_view column) {
    const std::string low = lower_case(column);
    return column == options.text_column || column == options.second_column ||
           column == options.concept_column || std::ranges::find(labels, low) != labels.end() ||
           std::ranges::find(kTextColumns, low) != kTextColumns.end();
  };
  const Header header = read_header(text, options.data, is_known);
  const TextColumns columns = find_columns(header, options);

  Labelled labelled{.texts = true};
  Source& source = labelled.source;
  source.manifest = options.data;
  source.root = source.manifest.parent_path();
  for (const std::size_t i : columns.others) source.columns.push_back(header.columns[i]);
  std::vector<std::string> fields_of_labels;
  Records records(text, options.data, header.separator);
  std::vector<std::string_view> fields;
  records.next(fields);  // the header
  while (records.next(fields)) {
    header.check_fields(fields, records);
    Pair& pair = source.pairs.emplace_back();
    pair.line = records.line();
    pair.captions.push_back(text_in(fields, columns.text, header, records));
    if (columns.second) pair.captions.push_back(text_in(fields, *columns.second, header, records));
    if (columns.concept_field) pair.concept_key = trimmed(fields[*columns.concept_field]);
    for (const std::size_t i : columns.others) pair.columns.emplace_back(fields[i]);
    fields_of_labels.emplace_back(fields[columns.label]);
  }
  if (source.pairs.empty()) fail(Exit::data, options.data, "no rows below the header");
  source.rows = static_cast<std::int64_t>(source.pairs.size());
  set_labels(labelled, {fields_of_labels.begin(), fields_of_labels.end()}, header.columns[columns.label],
             options);
  log_info(cat(options.data, ": labels are taken from column '", header.columns[columns.label],
               "': ", grouped(static_cast<std::int64_t>(labelled.classes.size())), " classes"));
  set_contents(labelled, columns.concept_field.has_value());
  return labelled;
}

std::string first_names(const std::vector<std::string>& classes) {
  const std::size_t shown = std::min<std::size_t>(10, classes.size());
  return cat(joined(std::span(classes).first(shown)), shown < classes.size() ? ", ..." : "");
}

// Index of each class of `from` in `to`; -1: none.
std::vector<std::int64_t> places_of(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::map<std::string_view, std::int64_t> places;
  for (const std::string& name : to) places.emplace(name, static_cast<std::int64_t>(places.size()));
  std::vector<std::int64_t> found;
  for (const std::string& name : from) {
    const auto place = places.find(name);
    found.push_back(place == places.end() ? -1 : place->second);
  }
  return found;
}

}  // namespace

Labelled read_labelled(const LabelledOptions& options) {
  if (options.data.empty())
    fail(Exit::usage, {}, "no labelled data given", "give a manifest (.csv, .tsv) or a folder of folders");
  return options.texts ? read_texts(options) : read_pictures(options);
}

bool has_concepts(const Labelled& items) {
  for (std::size_t row = 0; row < items.groups.size(); ++row) {
    const std::string& key = items.source.pairs[row].concept_key;
    if (!key.empty() && items.groups[row] == key) return true;
  }
  return false;
}

bool holds_pairs(const Labelled& items) {
  const std::vector<Pair>& pairs = items.source.pairs;
  const auto has_two = [](const Pair& pair) { return pair.captions.size() == 2; };
  return items.texts && !pairs.empty() && std::ranges::all_of(pairs, has_two);
}

Labelled subset(const Labelled& labelled, const std::vector<std::int64_t>& rows) {
  Labelled part{.source = labelled.source.subset(rows, labelled.source.name),
                .texts = labelled.texts,
                .classes = labelled.classes};
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    part.labels.push_back(labelled.labels.at(i));
    if (!labelled.contents.empty()) part.contents.push_back(labelled.contents.at(i));
    if (!labelled.groups.empty()) part.groups.push_back(labelled.groups.at(i));
  }
  return part;
}

Labelled with_classes(Labelled labelled, const std::vector<std::string>& classes) {
  const std::vector<std::int64_t> places = places_of(labelled.classes, classes);
  for (std::size_t row = 0; row < labelled.labels.size(); ++row) {
    for (std::int64_t& label : labelled.labels[row]) {
      const std::int64_t place = places[static_cast<std::size_t>(label)];
      if (place < 0) {
        const std::string& name = labelled.classes[static_cast<std::size_t>(label)];
        fail(Exit::data, labelled.source.place_of(labelled.source.pairs[row]),
             cat("class '", name, "' is none of the ", classes.size(), " classes", did_you_mean(name, classes)),
             cat("the classes are ", first_names(classes)));
      }
      label = place;
    }
    std::ranges::sort(labelled.labels[row]);
  }
  labelled.classes = classes;
  return labelled;
}

Labelled only_classes(const Labelled& labelled, const std::vector<std::string>& classes) {
  const std::vector<std::int64_t> places = places_of(labelled.classes, classes);
  std::vector<std::int64_t> rows;
  for (std::size_t row = 0; row < labelled.labels.size(); ++row)
    if (std::ranges::all_of(labelled.labels[row],
                            [&](std::int64_t label) { return places[static_cast<std::size_t>(label)] >= 0; }))
      rows.push_back(static_cast<std::int64_t>(row));
  const std::string data = labelled.source.manifest.string();
  if (rows.empty())
    fail(Exit::data, data, cat("no item is of one of the ", classes.size(), " classes"),
         cat("its classes are ", first_names(labelled.classes)));
  const std::int64_t others = labelled.size() - static_cast<std::int64_t>(rows.size());
  if (others > 0)
    log_info(cat(data, ": ", grouped(others), " of ", grouped(labelled.size()),
                 " items are left out: their classes are none of the ", classes.size()));
  return with_classes(others > 0 ? subset(labelled, rows) : labelled, classes);
}

Labelled unlabelled(Source source, bool texts) {
  Labelled items{.source = std::move(source), .texts = texts};
  items.labels.resize(items.source.pairs.size());
  return items;
}

}  // namespace duet
