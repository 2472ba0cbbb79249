#include "report/text_table.h"

#include <algorithm>
#include <string_view>

#include "core/format.h"
#include "text/unicode.h"

namespace duet {
namespace {

std::string latex_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("_%&#$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string aligned(const std::vector<Cells>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Cells& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string out;
  for (const Cells& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - display_width(row[i]) + 2, ' ');
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string latex_tabular(const std::vector<Cells>& rows) {
  std::string out = cat("\\begin{tabular}{l", std::string(rows.front().size() - 1, 'r'), "}\n\\toprule\n");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Cells escaped;
    for (const std::string& cell : rows[i]) escaped.push_back(latex_text(cell));
    out += joined(escaped, " & ") + " \\\\\n";
    if (i == 0) out += "\\midrule\n";
  }
  return out + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace duet
