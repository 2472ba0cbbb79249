#include "adaptation/few_shot_results.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr JsonLinesKind kKind{.row = "row of a few-shot study",
                              .key = "method",
                              .again = "its fit is made again",
                              .command = "duet fewshot",
                              .version = 1};
constexpr std::string_view kDigits = "0123456789abcdef";

nlohmann::ordered_json to_json(const FewShotRow& row) {
  const auto right = std::count(row.right.begin(), row.right.end(), '1');
  nlohmann::ordered_json line = {
      {"method", row.method},
      {"shots", row.shots},
      {"seed", row.seed},
      {"chosen", row.chosen},
      {"validation", row.validation},
      {"fell_back", row.falls_back},
      {"accuracy", row.right.empty() ? 0 : static_cast<double>(right) / static_cast<double>(row.right.size())},
      {"items", row.right.size()},
      {"right", packed(row.right)},
      {"seconds", row.seconds},
      {"identity", row.identity}};
  if (!row.curve.empty()) line["curve"] = row.curve;
  return line;
}

FewShotRow row_of(const nlohmann::ordered_json& line, const std::string& place) {
  FewShotRow row{.method = line.at("method"), .shots = line.at("shots"), .seed = line.at("seed")};
  row.chosen = nlohmann::json(line.at("chosen"));
  row.validation = line.at("validation");
  row.falls_back = line.at("fell_back");
  row.right = unpacked(line.at("right"), line.at("items"), place);
  row.seconds = line.at("seconds");
  row.identity = line.at("identity");
  if (line.contains("curve")) row.curve = line["curve"].get<std::vector<std::pair<double, double>>>();
  return row;
}

bool is_row(const FewShotRow& row, std::string_view method, std::int64_t shots, std::uint64_t seed) {
  return row.method == method && row.shots == shots && row.seed == seed;
}

std::string name_of(const FewShotRow& row) {
  return cat(row.method, ", ", row.shots, row.shots == 1 ? " shot" : " shots", ", seed ", row.seed);
}

}  // namespace

std::string packed(const std::string& bits) {
  std::string digits((bits.size() + 3) / 4, '0');
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i] != '1') continue;
    char& digit = digits[i / 4];
    digit = kDigits[kDigits.find(digit) | (8U >> (i % 4))];
  }
  return digits;
}

std::string unpacked(const std::string& digits, std::size_t bits, const std::string& where) {
  if (digits.size() != (bits + 3) / 4)
    fail(Exit::artifact, where, cat("'right' holds no answers of ", bits, " items"));
  std::string out(bits, '0');
  for (std::size_t i = 0; i < bits; ++i) {
    const std::size_t value = kDigits.find(digits[i / 4]);
    if (value == std::string_view::npos) fail(Exit::artifact, where, "'right' holds no hexadecimal digits");
    if ((value & (8U >> (i % 4))) != 0) out[i] = '1';
  }
  return out;
}

FewShotResults::FewShotResults(fs::path file) : file_(std::move(file), kKind) {
  file_.read([this](const nlohmann::ordered_json& line, const std::string& place) { take(line, place); });
}

void FewShotResults::take(const nlohmann::ordered_json& line, const std::string& place) {
  FewShotRow row = row_of(line, place);
  for (const FewShotRow& other : rows_) {
    if (is_row(other, row.method, row.shots, row.seed)) file_.refuse(place, cat(name_of(row), ": there twice"));
  }
  rows_.push_back(std::move(row));
}

const FewShotRow* FewShotResults::find(std::string_view method, std::int64_t shots, std::uint64_t seed,
                                       const std::string& identity) const {
  for (const FewShotRow& row : rows_) {
    if (!is_row(row, method, shots, seed)) continue;
    if (row.identity == identity) return &row;
    fail(Exit::usage, file().string(),
         cat(name_of(row), ": this row is of another model, or of other items, class names, splits or epochs"),
         "name another file by --results");
  }
  return nullptr;
}

void FewShotResults::add(FewShotRow row) {
  rows_.push_back(std::move(row));
  file_.append(to_json(rows_.back()));
}

}  // namespace duet
