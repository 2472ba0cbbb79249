// A manifest with a header row: comma, semicolon or TAB, quoted as RFC 4180 says. open_clip's layout (filepath,
// title).
#include <algorithm>
#include <optional>
#include <unordered_map>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/formats/format.h"
#include "datasets/formats/table.h"

namespace duet {
namespace {

const std::vector<std::string> kImageColumns = {"filepath", "image", "file", "path"};
const std::vector<std::string> kCaptionColumns = {"caption", "title", "text", "description"};

// Only recipes have a key for it; what is labelled may be texts.
std::string_view remedy_without_image(const SourceOptions& options, bool of_recipe) {
  if (of_recipe) return "name another column with image_column";
  return options.label_columns.empty()
             ? "give the column with the paths one of these names"
             : "give the column with the paths one of these names, or --texts without pictures";
}

// "caption_2" and "caption2" belong to "caption".
bool is_numbered(std::string_view column, std::string_view base) {
  if (!column.starts_with(base)) return false;
  column.remove_prefix(base.size());
  if (column.starts_with('_')) column.remove_prefix(1);
  return !column.empty() && std::ranges::all_of(column, [](char c) { return c >= '0' && c <= '9'; });
}

// Which field is what.
struct Layout {
  Header header;
  std::size_t image = 0;
  std::vector<std::size_t> captions;
  std::optional<std::size_t> concept_field, label;
  std::vector<std::size_t> others;
};

class LayoutReader {
 public:
  LayoutReader(std::string_view text, const std::string& name, const SourceOptions& options)
      : options_(options), name_(name) {
    layout_.header = read_header(text, name, [&](std::string_view column) { return is_known(column); });
  }

  Layout read(bool need_captions) {
    find_image(need_captions);
    find_captions(need_captions);
    find_concept();
    find_label();
    for (std::size_t i = 0; i < layout_.header.columns.size(); ++i)
      if (i == layout_.label || (i != layout_.image && i != layout_.concept_field &&
                                 std::ranges::find(layout_.captions, i) == layout_.captions.end()))
        layout_.others.push_back(i);
    return layout_;
  }

 private:
  bool is_known(std::string_view column) const {
    const std::string low = lower_case(column);
    const auto is_among = [](const std::vector<std::string>& names, std::string_view name) {
      return std::ranges::find(names, name) != names.end();
    };
    return column == options_.image_column || column == options_.concept_column ||
           is_among(options_.caption_columns, column) || is_among(options_.label_columns, low) ||
           is_among(kImageColumns, low) || is_among(kCaptionColumns, low);
  }

  void find_image(bool need_captions) {
    if (!options_.image_column.empty()) {
      layout_.image = layout_.header.required(options_.image_column);
      return;
    }
    const auto found = first_of(layout_.header.lowered, kImageColumns);
    if (!found)
      layout_.header.fail_without("pictures", kImageColumns, remedy_without_image(options_, need_captions));
    layout_.image = *found;
    if (const std::string& column = layout_.header.columns[*found]; column != "filepath" && options_.aloud)
      log_info(cat(name_, ": pictures are taken from column '", column, "'"));
  }

  void find_captions(bool need_captions) {
    const std::vector<std::string>& lowered = layout_.header.lowered;
    for (const std::string& name : options_.caption_columns)
      layout_.captions.push_back(layout_.header.required(name));
    for (const std::string& name : kCaptionColumns) {
      if (!layout_.captions.empty()) break;
      for (std::size_t i = 0; i < lowered.size(); ++i)
        if (i != layout_.image && (lowered[i] == name || is_numbered(lowered[i], name)))
          layout_.captions.push_back(i);
    }
    if (layout_.captions.empty()) {
      if (need_captions)
        layout_.header.fail_without("captions", kCaptionColumns, "name another column with caption_columns");
      return;
    }
    std::vector<std::string> names;
    for (const std::size_t i : layout_.captions) names.push_back(layout_.header.columns[i]);
    const bool usual = names.size() == 1 && (names[0] == "caption" || names[0] == "title");
    if (options_.caption_columns.empty() && !usual && options_.aloud)
      log_info(
          cat(name_, ": captions are taken from ", names.size() > 1 ? "columns " : "column ", joined(names)));
  }

  void find_concept() {
    if (options_.concept_column.empty()) return;
    const bool asked = options_.concept_column != SourceOptions{}.concept_column;
    layout_.concept_field = asked ? layout_.header.required(options_.concept_column)
                                  : position(layout_.header.lowered, options_.concept_column);
  }

  void find_label() {
    if (options_.label_columns.empty()) return;
    layout_.label = first_of(layout_.header.lowered, options_.label_columns);
    if (!layout_.label)
      layout_.header.fail_without("labels", options_.label_columns, "name another column with --label-column");
  }

  const SourceOptions& options_;
  const std::string& name_;
  Layout layout_;
};

// "./a.png" and "b/../a.png" are the picture "a.png", and so is "b\\a.png" from Windows "b/a.png".
std::string picture_path(std::string_view field, const fs::path& root) {
  std::string path(field);
  if (path.find('\\') != std::string::npos && !fs::exists(root / path)) std::ranges::replace(path, '\\', '/');
  const bool plain = !path.starts_with("./") && !path.starts_with("../") &&
                     path.find("/.") == std::string::npos && path.find("//") == std::string::npos;
  return plain ? path : fs::path(path).lexically_normal().string();
}

class PairReader {
 public:
  PairReader(const Layout& layout, Source& source) : layout_(layout), source_(source) {}

  void read(std::string_view text, const std::string& name) {
    Records records(text, name, layout_.header.separator);
    std::vector<std::string_view> fields;
    records.next(fields);  // the header
    // No reallocation below: `by_path_` looks into the strings of the pairs.
    source_.pairs.reserve(
        static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return c == '\n' || c == '\r'; })) +
        1);
    by_path_.reserve(source_.pairs.capacity());
    while (records.next(fields)) add(fields, records);
    if (source_.pairs.empty()) fail(Exit::data, name, "no rows below the header");
    if (source_.pairs.size() < source_.pairs.capacity() / 2) source_.pairs.shrink_to_fit();
  }

 private:
  void add(const std::vector<std::string_view>& fields, const Records& records) {
    layout_.header.check_fields(fields, records);
    const std::string_view path = trimmed(fields[layout_.image]);
    if (path.empty())
      fail(Exit::data, records.place(), cat("'", layout_.header.columns[layout_.image], "' is empty"));
    if (path.starts_with("http://") || path.starts_with("https://"))
      fail(Exit::data, records.place(), cat("'", path, "' is an address"),
           "download the pictures first and name the files");
    ++source_.rows;
    Pair& pair = pair_of(picture_path(path, source_.root), fields, records);
    for (const std::size_t i : layout_.captions) pair.captions.emplace_back(trimmed(fields[i]));
    if (layout_.label) check_label(pair, trimmed(fields[*layout_.label]), records);
    if (layout_.concept_field) set_concept(pair, trimmed(fields[*layout_.concept_field]), records);
  }

  // The pair of this picture, which an earlier row may have made.
  Pair& pair_of(std::string path, const std::vector<std::string_view>& fields, const Records& records) {
    Pair& pair = source_.pairs.emplace_back();
    pair.image = std::move(path);
    const auto [known, is_new] = by_path_.try_emplace(pair.image, source_.pairs.size() - 1);
    if (!is_new) {
      source_.pairs.pop_back();
      return source_.pairs[known->second];
    }
    pair.line = records.line();
    pair.columns.reserve(layout_.others.size());
    for (const std::size_t i : layout_.others) pair.columns.emplace_back(fields[i]);
    return pair;
  }

  void set_concept(Pair& pair, std::string_view key, const Records& records) {
    if (pair.concept_key.empty()) pair.concept_key = key;
    if (!key.empty() && pair.concept_key != key)
      fail(Exit::data, records.place(),
           cat("concept '", key, "', but line ", pair.line, " gives the same picture '", pair.concept_key, "'"),
           "a picture has one concept");
  }

  void check_label(const Pair& pair, std::string_view label, const Records& records) const {
    const auto at = std::ranges::find(layout_.others, *layout_.label) - layout_.others.begin();
    const std::string_view earlier = trimmed(pair.columns[static_cast<std::size_t>(at)]);
    if (label != earlier)
      fail(Exit::data, records.place(),
           cat(layout_.header.columns[*layout_.label], " '", label, "', but line ", pair.line,
               " gives the same picture '", earlier, "'"),
           "a picture has one label, or several in one field (--separator)");
  }

  const Layout& layout_;
  Source& source_;
  std::unordered_map<std::string_view, std::size_t> by_path_;
};

}  // namespace

bool heads_table(std::string_view line, const SourceOptions& options) {
  const auto is_picture = [&](std::string_view field) {
    return (!field.empty() && field == options.image_column) ||
           std::ranges::find(kImageColumns, lower_case(field)) != kImageColumns.end();
  };
  const bool is_sentence = trimmed(line).find_last_of(".!?") + 1 == trimmed(line).size();
  return !is_sentence && std::ranges::any_of(std::string_view("\t,;"), [&](char separator) {
    const std::vector<std::string> columns = columns_by(separator, line, {});
    return columns.size() > 1 && std::ranges::any_of(columns, is_picture);
  });
}

bool is_tsv(const SourceOptions& options) {
  std::error_code none;
  return fs::exists(options.data, none);
}

Source read_tsv(const SourceOptions& options, bool need_captions) {
  Source source;
  source.manifest = options.data;
  source.root = options.root.empty() ? source.manifest.parent_path() : fs::path(options.root);
  std::string bytes = read_bytes(source.manifest);
  check_is_table(bytes, options.data);
  const std::string text = text_of(std::move(bytes), options.data);
  const Layout layout = LayoutReader(text, options.data, options).read(need_captions);
  for (const std::size_t i : layout.others) source.columns.push_back(layout.header.columns[i]);
  PairReader(layout, source).read(text, options.data);
  return source;
}

}  // namespace duet
