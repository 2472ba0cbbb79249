// A manifest with a header row: comma, semicolon or TAB, quoted as RFC 4180 says. open_clip's layout (filepath,
// title).
#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <optional>
#include <unordered_map>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/formats/format.h"
#include "datasets/image_header.h"
#include "text/unicode.h"

namespace duet {
namespace {

const std::vector<std::string> kImageColumns = {"filepath", "image", "file", "path"};
const std::vector<std::string> kCaptionColumns = {"caption", "title", "text", "description"};

bool ends_line(char c) { return c == '\n' || c == '\r'; }

// One record after the other. Fields are views into the text, or into `unescaped_` where doubled quotes were
// undone.
class Records {
 public:
  Records(std::string_view text, std::string_view name, char separator)
      : text_(text), name_(name), separator_(separator) {}

  bool next(std::vector<std::string_view>& fields);  // blank lines are skipped
  std::int64_t line() const { return line_; }        // where the last record began, from 1
  std::string place() const { return cat(name_, ":", line_); }

 private:
  std::string_view quoted_field();
  std::string_view plain_field();
  void end_line();
  bool at_end() const { return at_ == text_.size(); }

  std::string_view text_, name_;
  char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0, next_line_ = 1;
  std::deque<std::string> unescaped_;
};

void Records::end_line() {
  if (at_end()) return;
  const bool two = text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
  at_ += two ? 2 : 1;
  ++next_line_;
}

std::string_view Records::plain_field() {
  const std::size_t begin = at_;
  while (!at_end() && text_[at_] != separator_ && !ends_line(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Records::quoted_field() {
  const std::size_t begin = ++at_;
  const std::int64_t opened = next_line_;
  bool doubled = false;
  for (;; ++at_) {
    const std::size_t quote = text_.find('"', at_);
    if (quote == std::string_view::npos)
      fail(Exit::data, cat(name_, ":", opened), "a quote is opened here and never closed",
           "a field that begins with \" must end with \"");
    next_line_ += std::count(text_.begin() + at_, text_.begin() + quote, '\n');
    at_ = quote + 1;
    if (at_end() || text_[at_] != '"') break;
    doubled = true;
  }
  const std::string_view inner = text_.substr(begin, at_ - 1 - begin);
  if (!at_end() && text_[at_] != separator_ && !ends_line(text_[at_]))
    fail(Exit::data, cat(name_, ":", next_line_), "text stands behind a closing quote",
         "a field that begins with \" is quoted as a whole, and quotes inside it are written twice");
  if (!doubled) return inner;
  std::string& plain = unescaped_.emplace_back();
  plain.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    plain += inner[i];
    if (inner[i] == '"') ++i;
  }
  return plain;
}

bool Records::next(std::vector<std::string_view>& fields) {
  fields.clear();
  unescaped_.clear();
  while (!at_end() && ends_line(text_[at_])) end_line();
  if (at_end()) return false;
  line_ = next_line_;
  for (;; ++at_) {
    fields.push_back(!at_end() && text_[at_] == '"' ? quoted_field() : plain_field());
    if (at_end() || ends_line(text_[at_])) break;
  }
  end_line();
  return true;
}

std::string lowered(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return low;
}

std::optional<std::size_t> position(const std::vector<std::string>& header, std::string_view name) {
  const auto found = std::ranges::find(header, name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

// "caption_2" and "caption2" belong to "caption".
bool is_numbered(std::string_view column, std::string_view base) {
  if (!column.starts_with(base)) return false;
  column.remove_prefix(base.size());
  if (column.starts_with('_')) column.remove_prefix(1);
  return !column.empty() && std::ranges::all_of(column, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> header_of(char separator, std::string_view text, std::string_view name) {
  Records records(text, name, separator);
  std::vector<std::string_view> fields;
  if (!records.next(fields))
    fail(Exit::data, std::string(name), "empty file", "a manifest begins with a header row");
  std::vector<std::string> header;
  for (const std::string_view field : fields) header.emplace_back(trimmed(field));
  return header;
}

// Empty where the quotes make no sense under this separator.
std::vector<std::string> columns_by(char separator, std::string_view text, std::string_view name) try {
  return header_of(separator, text, name);
} catch (const Error&) {
  return {};
}

// Which field is what.
struct Layout {
  char separator = '\t';
  std::vector<std::string> header;
  std::size_t image = 0;
  std::vector<std::size_t> captions;
  std::optional<std::size_t> concept_field;
  std::vector<std::size_t> others;
};

class LayoutReader {
 public:
  LayoutReader(std::string_view text, const std::string& name, const SourceOptions& options)
      : text_(text), name_(name), options_(options) {}

  Layout read(bool need_captions) {
    find_separator();
    for (std::size_t i = 0; i < layout_.header.size(); ++i) {
      std::string& column = layout_.header[i];
      if (column.empty()) column = cat("column_", i + 1);
      if (position(layout_.header, column) != i)
        fail(Exit::data, place(), cat("two columns are called '", column, "'"));
      lowered_.push_back(lowered(column));
    }
    find_image();
    find_captions(need_captions);
    find_concept();
    for (std::size_t i = 0; i < layout_.header.size(); ++i)
      if (i != layout_.image && i != layout_.concept_field &&
          std::ranges::find(layout_.captions, i) == layout_.captions.end())
        layout_.others.push_back(i);
    return layout_;
  }

 private:
  // The separator under which most columns are known ones, then the one that makes most columns.
  void find_separator() {
    std::size_t best = 0;
    for (const char separator : {'\t', ',', ';'}) {
      const std::vector<std::string> header = columns_by(separator, text_, name_);
      std::size_t known = 0;
      for (const std::string& column : header) known += is_known(column);
      const std::size_t score = header.empty() ? 0 : known * 100'000 + header.size();
      if (score <= best) continue;
      best = score;
      layout_.separator = separator;
      layout_.header = header;
    }
    if (best == 0) header_of(',', text_, name_);  // says what is wrong with its quotes
  }

  bool is_known(std::string_view column) const {
    const std::string low = lowered(column);
    return column == options_.image_column || column == options_.concept_column ||
           std::ranges::find(options_.caption_columns, column) != options_.caption_columns.end() ||
           std::ranges::find(kImageColumns, low) != kImageColumns.end() ||
           std::ranges::find(kCaptionColumns, low) != kCaptionColumns.end();
  }

  std::string place() const { return cat(name_, ":1"); }
  std::string columns() const { return cat("columns: ", joined(layout_.header)); }

  std::size_t required(std::string_view column) const {
    if (const auto found = position(layout_.header, column)) return *found;
    fail(Exit::data, place(), cat("no column '", column, "'", did_you_mean(column, layout_.header)), columns());
  }

  [[noreturn]] void fail_without(std::string_view what, const std::vector<std::string>& names,
                                 std::string_view key) const {
    std::string near;
    for (const std::string& name : names)
      if (near.empty()) near = closest(name, lowered_);
    fail(Exit::data, place(),
         cat("no column for the ", what, " (", joined(names), ")",
             near.empty() ? "" : cat("; did you mean '", near, "'?")),
         cat(columns(), "; separators: TAB , ;  name another column with ", key));
  }

  void find_image() {
    if (!options_.image_column.empty()) {
      layout_.image = required(options_.image_column);
      return;
    }
    for (const std::string& name : kImageColumns) {
      const auto found = position(lowered_, name);
      if (!found) continue;
      layout_.image = *found;
      if (layout_.header[*found] != "filepath" && options_.aloud)
        log_info(cat(name_, ": pictures are taken from column '", layout_.header[*found], "'"));
      return;
    }
    fail_without("pictures", kImageColumns, "image_column");
  }

  void find_captions(bool need_captions) {
    for (const std::string& name : options_.caption_columns) layout_.captions.push_back(required(name));
    for (const std::string& name : kCaptionColumns) {
      if (!layout_.captions.empty()) break;
      for (std::size_t i = 0; i < lowered_.size(); ++i)
        if (i != layout_.image && (lowered_[i] == name || is_numbered(lowered_[i], name)))
          layout_.captions.push_back(i);
    }
    if (layout_.captions.empty()) {
      if (need_captions) fail_without("captions", kCaptionColumns, "caption_columns");
      return;
    }
    std::vector<std::string> names;
    for (const std::size_t i : layout_.captions) names.push_back(layout_.header[i]);
    const bool usual = names.size() == 1 && (names[0] == "caption" || names[0] == "title");
    if (options_.caption_columns.empty() && !usual && options_.aloud)
      log_info(
          cat(name_, ": captions are taken from ", names.size() > 1 ? "columns " : "column ", joined(names)));
  }

  void find_concept() {
    if (options_.concept_column.empty()) return;
    const bool asked = options_.concept_column != SourceOptions{}.concept_column;
    layout_.concept_field =
        asked ? required(options_.concept_column) : position(lowered_, options_.concept_column);
  }

  std::string_view text_;
  const std::string& name_;
  const SourceOptions& options_;
  Layout layout_;
  std::vector<std::string> lowered_;
};

// "./a.png" and "b/../a.png" are the picture "a.png", and so is "b\\a.png" from Windows "b/a.png".
std::string picture_path(std::string_view field, const fs::path& root) {
  std::string path(field);
  if (path.find('\\') != std::string::npos && !fs::exists(root / path)) std::ranges::replace(path, '\\', '/');
  const bool plain = !path.starts_with("./") && !path.starts_with("../") &&
                     path.find("/.") == std::string::npos && path.find("//") == std::string::npos;
  return plain ? path : fs::path(path).lexically_normal().string();
}

std::string separator_name(char separator) { return separator == '\t' ? "a TAB" : cat("'", separator, "'"); }

class PairReader {
 public:
  PairReader(const Layout& layout, Source& source) : layout_(layout), source_(source) {}

  void read(std::string_view text, const std::string& name) {
    Records records(text, name, layout_.separator);
    std::vector<std::string_view> fields;
    records.next(fields);  // the header
    // No reallocation below: `by_path_` looks into the strings of the pairs.
    source_.pairs.reserve(static_cast<std::size_t>(std::ranges::count_if(text, ends_line)) + 1);
    by_path_.reserve(source_.pairs.capacity());
    while (records.next(fields)) add(fields, records);
    if (source_.pairs.empty()) fail(Exit::data, name, "no rows below the header");
    if (source_.pairs.size() < source_.pairs.capacity() / 2) source_.pairs.shrink_to_fit();
  }

 private:
  void add(const std::vector<std::string_view>& fields, const Records& records) {
    if (fields.size() != layout_.header.size())
      fail(Exit::data, records.place(),
           cat(fields.size(), fields.size() == 1 ? " field" : " fields", " where the header has ",
               layout_.header.size()),
           cat("a field that holds ", separator_name(layout_.separator), " must stand in quotes"));
    const std::string_view path = trimmed(fields[layout_.image]);
    if (path.empty()) fail(Exit::data, records.place(), cat("'", layout_.header[layout_.image], "' is empty"));
    if (path.starts_with("http://") || path.starts_with("https://"))
      fail(Exit::data, records.place(), cat("'", path, "' is an address"),
           "download the pictures first and name the files");
    ++source_.rows;
    Pair& pair = pair_of(picture_path(path, source_.root), fields, records);
    for (const std::size_t i : layout_.captions) pair.captions.emplace_back(trimmed(fields[i]));
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

  const Layout& layout_;
  Source& source_;
  std::unordered_map<std::string_view, std::size_t> by_path_;
};

// A picture, an archive, JSON: said as such, not as a table with odd columns.
void check_is_table(std::string_view bytes, const std::string& name) {
  std::string kind = kind_of_file(bytes);
  const std::size_t begin = bytes.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (kind.empty() && begin != std::string_view::npos && (bytes[begin] == '{' || bytes[begin] == '['))
    kind = "JSON";
  if (!kind.empty())
    fail(Exit::data, name, cat("is ", kind, ", not a manifest"),
         "give a .csv or .tsv table with a header row, or a folder of pictures");
}

}  // namespace

bool heads_table(std::string_view line, const SourceOptions& options) {
  const auto is_picture = [&](std::string_view field) {
    return (!field.empty() && field == options.image_column) ||
           std::ranges::find(kImageColumns, lowered(field)) != kImageColumns.end();
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
  for (const std::size_t i : layout.others) source.columns.push_back(layout.header[i]);
  PairReader(layout, source).read(text, options.data);
  return source;
}

}  // namespace duet
