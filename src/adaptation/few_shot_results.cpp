#include "adaptation/few_shot_results.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr int kVersion = 1;
constexpr std::string_view kDigits = "0123456789abcdef";

nlohmann::ordered_json to_json(const FewShotRow& row) {
  const auto right = std::count(row.right.begin(), row.right.end(), '1');
  nlohmann::ordered_json line = {
      {"version", kVersion},
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

FewShotRow row_of(const nlohmann::ordered_json& line) {
  FewShotRow row{.method = line.at("method"), .shots = line.at("shots"), .seed = line.at("seed")};
  row.chosen = nlohmann::json(line.at("chosen"));
  row.validation = line.at("validation");
  row.falls_back = line.at("fell_back");
  row.right = unpacked(line.at("right"), line.at("items"));
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

std::string unpacked(const std::string& digits, std::size_t bits) {
  if (digits.size() != (bits + 3) / 4)
    fail(Exit::artifact, "right", cat("holds no answers of ", bits, " items"));
  std::string out(bits, '0');
  for (std::size_t i = 0; i < bits; ++i) {
    const std::size_t value = kDigits.find(digits[i / 4]);
    if (value == std::string_view::npos) fail(Exit::artifact, "right", "holds no hexadecimal digits");
    if ((value & (8U >> (i % 4))) != 0) out[i] = '1';
  }
  return out;
}

FewShotResults::FewShotResults(fs::path file) : file_(std::move(file)) {
  if (!file_.empty()) read();
}

void FewShotResults::read() {
  std::error_code none;
  if (!fs::exists(file_, none)) return;
  const std::string text = read_file(file_);
  read_bytes_ = text.size();
  std::int64_t number = 0;
  for (std::size_t end; (end = text.find('\n', whole_bytes_)) != std::string::npos; whole_bytes_ = end + 1)
    read_line(text.substr(whole_bytes_, end - whole_bytes_), ++number);
  if (whole_bytes_ < text.size())
    log_warning(cat(file_.string(), ":", number + 1, ": half a line, cut off: its fit is made again"));
}

void FewShotResults::read_line(const std::string& text, std::int64_t number) {
  const std::string where = cat(file_.string(), ":", number);
  const auto refuse = [&where](std::string_view what) {
    fail(Exit::artifact, where, what, "put the line back as it was, or take it out: its fit is made again");
  };
  const auto line = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("method")) refuse("this is no row of a few-shot study");
  if (!line.contains("version") || line["version"] != kVersion)
    fail(Exit::artifact, where,
         cat("a row of version ", line.contains("version") ? line["version"].dump() : "none"),
         cat("this duet knows version ", kVersion));
  try {
    FewShotRow row = row_of(line);
    for (const FewShotRow& other : rows_) {
      if (is_row(other, row.method, row.shots, row.seed)) refuse(cat(name_of(row), ": there twice"));
    }
    rows_.push_back(std::move(row));
  } catch (const nlohmann::json::exception& error) {
    refuse(cat("damaged: ", error.what()));
  }
}

const FewShotRow* FewShotResults::find(std::string_view method, std::int64_t shots, std::uint64_t seed,
                                       const std::string& identity) const {
  for (const FewShotRow& row : rows_) {
    if (!is_row(row, method, shots, seed)) continue;
    if (row.identity == identity) return &row;
    fail(Exit::usage, file_.string(),
         cat(name_of(row), ": this row is of another model, or of other items, class names or splits"),
         "name another file by --results");
  }
  return nullptr;
}

void FewShotResults::add(FewShotRow row) {
  rows_.push_back(std::move(row));
  if (!file_.empty()) write(to_json(rows_.back()).dump() + "\n");
}

// Opening cuts half a line off; rows that another process has added since must not go with it.
void FewShotResults::write(const std::string& line) {
  if (!out_) {
    std::error_code none;
    const std::uintmax_t now = fs::exists(file_, none) ? fs::file_size(file_) : 0;
    if (now != read_bytes_)
      fail(Exit::failed, file_.string(), "has changed since it was read",
           "is another duet fewshot at work on it?");
    out_ = std::make_unique<AppendFile>(file_, whole_bytes_);
  }
  out_->write(line);
  out_->sync();
}

}  // namespace duet
