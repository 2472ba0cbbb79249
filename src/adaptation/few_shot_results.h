// What a few-shot study has found so far: a file of JSON lines, one a fit. A row is on the disk before the next
// fit begins; a row that is there is never made again.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_lines.h"

namespace duet {

inline constexpr const char* kZeroShot = "zero_shot";  // the method of the row of 0 shots

struct FewShotRow {
  std::string method;
  std::int64_t shots = 0;
  std::uint64_t seed = 0;
  nlohmann::json chosen = nlohmann::json::object();  // hyperparameters, as validation chose them
  std::vector<std::pair<double, double>> curve = {};
  double validation = 0;    // accuracy there
  bool falls_back = false;  // zero-shot did better there
  std::string right = {};   // '1' or '0' for each test item: the method's own answers
  double seconds = 0;       // of fitting
  std::string identity = {};
};

class FewShotResults {
 public:
  // Reads what is there, and makes the file when the first row is added; "": kept in memory alone. A last line
  // without an end is cut off with a warning. Error(artifact) naming the line: damaged, or there twice.
  explicit FewShotResults(std::filesystem::path file);

  // Error(usage): there is such a row, but of another model, other items, names or splits.
  const FewShotRow* find(std::string_view method, std::int64_t shots, std::uint64_t seed,
                         const std::string& identity) const;
  const std::vector<FewShotRow>& rows() const { return rows_; }
  void add(FewShotRow row);  // on the disk when it returns
  const std::filesystem::path& file() const { return file_.file(); }

 private:
  void take(const nlohmann::ordered_json& line, const std::string& place);

  JsonLines file_;
  std::vector<FewShotRow> rows_;
};

// "0110..." as hexadecimal digits, four items a digit, the last one filled up with 0; and back.
std::string packed(const std::string& bits);
std::string unpacked(const std::string& digits, std::size_t bits, const std::string& where);  // Error(artifact)

}  // namespace duet
