#include "cli/classify_output.h"

#include <algorithm>
#include <cmath>

#include "cli/terminal.h"
#include "core/format.h"
#include "report/text_table.h"
#include "text/unicode.h"

namespace duet {

namespace {

// Labels and probabilities, so many pairs in each row.
std::vector<std::string> cells_of(const Classified& one, std::size_t pairs, int digits) {
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < pairs; ++i) {
    const bool is_there = i < one.classes.size();
    cells.push_back(is_there ? one.classes[i].first : "");
    cells.push_back(is_there ? fixed(one.classes[i].second, digits) : "");
  }
  return cells;
}

std::size_t pairs_of(const Classification& answer) {
  std::size_t most = 1;
  for (const Classified& one : answer.items) most = std::max(most, one.classes.size());
  return most;
}

std::string csv_record(const std::vector<std::string>& fields) {
  std::vector<std::string> quoted;
  for (const std::string& field : fields) quoted.push_back(csv_field(field));
  return joined(quoted, ",") + "\r\n";
}

double rounded(double probability) { return std::round(probability * 1e6) / 1e6; }

}  // namespace

std::string answer_lines(const Classification& answer) {
  std::string out;
  for (const Classified& one : answer.items) {
    out += printable(one.shown);
    for (const std::string& cell : cells_of(one, std::max<std::size_t>(1, one.classes.size()), 4))
      out += cat("\t", printable(cell));
    out += "\n";
  }
  return out;
}

std::string answer_table(const Classification& answer, std::size_t columns) {
  const std::size_t pairs = pairs_of(answer);
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> widths(2 * pairs, 0);
  std::size_t item_width = 0, taken = 0;
  for (const Classified& one : answer.items) {
    rows.push_back(cells_of(one, pairs, 3));
    for (std::size_t i = 0; i < widths.size(); ++i) {
      rows.back()[i] = printable(rows.back()[i]);
      widths[i] = std::max(widths[i], display_width(rows.back()[i]));
    }
    item_width = std::max(item_width, display_width(printable(one.shown)));
  }
  for (const std::size_t width : widths) taken += width + 2;
  item_width = std::min(item_width, std::max<std::size_t>(20, columns > taken ? columns - taken : 0));
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string item = printable(answer.items[i].shown);
    std::string line =
        padded(answer.texts ? clipped(item, item_width) : clipped_left(item, item_width), item_width);
    for (std::size_t c = 0; c < widths.size(); ++c) line += "  " + padded(rows[i][c], widths[c]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string answer_csv(const Classification& answer) {
  const std::size_t pairs = pairs_of(answer);
  std::vector<std::string> header = {answer.texts ? "text" : "path", "label", "probability"};
  for (std::size_t i = 2; i <= pairs; ++i) {
    header.push_back(cat("label_", i));
    header.push_back(cat("probability_", i));
  }
  std::string out = csv_record(header);
  for (const Classified& one : answer.items) {
    std::vector<std::string> fields = cells_of(one, pairs, 6);
    fields.insert(fields.begin(), one.item);
    out += csv_record(fields);
  }
  return out;
}

nlohmann::ordered_json answer_json(const Classification& answer) {
  using nlohmann::ordered_json;
  ordered_json items = ordered_json::array();
  for (const Classified& one : answer.items) {
    ordered_json item = {{answer.texts ? "text" : "path", one.item}};
    if (!answer.texts) item["file"] = one.file;
    ordered_json classes = ordered_json::array();
    for (const auto& [label, probability] : one.classes)
      classes.push_back({{"label", label}, {"probability", rounded(probability)}});
    item["label"] = classes.empty() ? ordered_json() : classes[0]["label"];
    item["probability"] = classes.empty() ? ordered_json() : classes[0]["probability"];
    item["classes"] = std::move(classes);
    if (!one.why.empty()) item["error"] = one.why;
    items.push_back(std::move(item));
  }
  return {
      {"schema_version", 1}, {"classes", answer.classes}, {"scale", answer.scale}, {"items", std::move(items)}};
}

}  // namespace duet
