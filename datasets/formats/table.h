// A table in a text: rows of fields between commas, semicolons or TABs, quoted as RFC 4180 says, below a row of
// column names.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

// One record after the other. Fields are views into the text, or into `unescaped_` where doubled quotes were
// undone: they are good until the next one.
class Records {
 public:
  Records(std::string_view text, std::string_view name, char separator)
      : text_(text), name_(name), separator_(separator) {}

  bool next(std::vector<std::string_view>& fields);  // blank lines are skipped
  std::int64_t line() const { return line_; }        // where the last record began, from 1
  std::string place() const;                         // "photos.csv:17"

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

// The row of column names. Columns without one are called column_1 and so on.
struct Header {
  std::string name;  // of the file
  char separator = '\t';
  std::vector<std::string> columns = {};
  std::vector<std::string> lowered = {};  // the same in lower case

  std::string place() const;                            // "photos.csv:1"
  std::size_t required(std::string_view column) const;  // Error(data) listing the columns there are
  // Error(data) where none of `names` is there.
  [[noreturn]] void fail_without(std::string_view what, const std::vector<std::string>& names,
                                 std::string_view remedy) const;
  // Error(data) where a row has another number of fields.
  void check_fields(const std::vector<std::string_view>& fields, const Records& records) const;
};

// Of the separators the one under which most columns are known, then the one that makes most columns.
// Error(data): empty file, quotes that make no sense, two columns of one name.
Header read_header(std::string_view text, const std::string& name,
                   const std::function<bool(std::string_view)>& is_known);

// The columns of a text's first line under this separator; empty where its quotes make no sense.
std::vector<std::string> columns_by(char separator, std::string_view text, std::string_view name);
std::optional<std::size_t> position(const std::vector<std::string>& columns, std::string_view column);
// The first of `names` that is there, capitals or not.
std::optional<std::size_t> first_of(const std::vector<std::string>& lowered,
                                    const std::vector<std::string>& names);
std::string lower_case(std::string_view text);  // ASCII

// Error(data) for a picture, an archive, JSON: said as such, not as a table with odd columns.
void check_is_table(std::string_view bytes, const std::string& name);

}  // namespace duet
