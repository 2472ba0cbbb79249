#include "datasets/formats/table.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/format.h"
#include "datasets/formats/format.h"
#include "datasets/image_header.h"

namespace duet {
namespace {

bool ends_line(char c) { return c == '\n' || c == '\r'; }

std::string separator_name(char separator) { return separator == '\t' ? "a TAB" : cat("'", separator, "'"); }

std::vector<std::string> header_of(char separator, std::string_view text, std::string_view name) {
  Records records(text, name, separator);
  std::vector<std::string_view> fields;
  if (!records.next(fields))
    fail(Exit::data, std::string(name), "empty file", "a manifest begins with a header row");
  std::vector<std::string> header;
  for (const std::string_view field : fields) header.emplace_back(trimmed(field));
  return header;
}

}  // namespace

std::string Records::place() const { return cat(name_, ":", line_); }

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

std::string Header::place() const { return cat(name, ":1"); }

std::size_t Header::required(std::string_view column) const {
  if (const auto found = position(columns, column)) return *found;
  fail(Exit::data, place(), cat("no column '", column, "'", did_you_mean(column, columns)),
       cat("columns: ", joined(columns)));
}

void Header::fail_without(std::string_view what, const std::vector<std::string>& names,
                          std::string_view remedy) const {
  std::string near;
  for (const std::string& one : names)
    if (near.empty()) near = closest(one, lowered);
  fail(Exit::data, place(),
       cat("no column for the ", what, " (", joined(names), ")",
           near.empty() ? "" : cat("; did you mean '", near, "'?")),
       cat("columns: ", joined(columns), "; separators: TAB , ;  ", remedy));
}

void Header::check_fields(const std::vector<std::string_view>& fields, const Records& records) const {
  if (fields.size() == columns.size()) return;
  fail(Exit::data, records.place(),
       cat(fields.size(), fields.size() == 1 ? " field" : " fields", " where the header has ", columns.size()),
       cat("a field that holds ", separator_name(separator), " must stand in quotes"));
}

Header read_header(std::string_view text, const std::string& name,
                   const std::function<bool(std::string_view)>& is_known) {
  Header header{.name = name};
  std::size_t best = 0;
  for (const char separator : {'\t', ',', ';'}) {
    const std::vector<std::string> columns = columns_by(separator, text, name);
    const auto known = static_cast<std::size_t>(std::ranges::count_if(columns, is_known));
    const std::size_t score = columns.empty() ? 0 : known * 100'000 + columns.size();
    if (score <= best) continue;
    best = score;
    header.separator = separator;
    header.columns = columns;
  }
  if (best == 0) header_of(',', text, name);  // says what is wrong with its quotes
  for (std::size_t i = 0; i < header.columns.size(); ++i) {
    std::string& column = header.columns[i];
    if (column.empty()) column = cat("column_", i + 1);
    if (position(header.columns, column) != i)
      fail(Exit::data, header.place(), cat("two columns are called '", column, "'"));
    header.lowered.push_back(lower_case(column));
  }
  return header;
}

std::vector<std::string> columns_by(char separator, std::string_view text, std::string_view name) try {
  return header_of(separator, text, name);
} catch (const Error&) {
  return {};
}

std::optional<std::size_t> position(const std::vector<std::string>& columns, std::string_view column) {
  const auto found = std::ranges::find(columns, column);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::optional<std::size_t> first_of(const std::vector<std::string>& lowered,
                                    const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (const auto found = position(lowered, name)) return found;
  return std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return low;
}

void check_is_table(std::string_view bytes, const std::string& name) {
  std::string kind = kind_of_file(bytes);
  const std::size_t begin = bytes.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (kind.empty() && begin != std::string_view::npos && (bytes[begin] == '{' || bytes[begin] == '['))
    kind = "JSON";
  if (!kind.empty())
    fail(Exit::data, name, cat("is ", kind, ", not a manifest"),
         "give a .csv or .tsv table with a header row, or a folder of pictures");
}

}  // namespace duet
