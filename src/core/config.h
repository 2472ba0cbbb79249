// A cursor over a TOML recipe that records what was read, so that a key nobody reads is an error with its
// place:
//   slip.toml:9:1: unknown key 'temprature' in [[objective]]; did you mean 'temperature'?
// Defaults live once, in the options struct that a reader fills: o.lr = config.number("lr", o.lr, {0, 1}).
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace duet {

struct Range {
  double low, high;  // both allowed
};

class ConfigDocument;

class Config {
 public:
  static Config read(const std::filesystem::path& file);              // Error(usage): file:line:column: what
  static Config parse(std::string_view text, std::string_view name);  // `name` stands where a file name would
  // One --set: "train.lr=1e-4", "objective.0.weight=2" (arrays by position); the value is TOML or a bare word.
  void set(std::string_view assignment);

  bool has(std::string_view key) const;
  bool is_text(std::string_view key) const;  // there, and a string: for keys of two types
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high);
  double number(std::string_view key, double fallback, Range range);  // integers are numbers too
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  std::string choice(std::string_view key, std::string_view fallback, const std::vector<std::string>& allowed);
  std::string required_text(std::string_view key);
  // A single string or number is a list of one.
  std::vector<std::string> texts(std::string_view key, const std::vector<std::string>& fallback);
  std::vector<double> numbers(std::string_view key, const std::vector<double>& fallback, Range range);

  Config table(std::string_view key);                // [key]; an empty one when absent
  std::vector<Config> tables(std::string_view key);  // [[key]]; a single [key] is a list of one
  std::vector<std::string> keys() const;             // of this table, in file order

  std::string where(std::string_view key = {}) const;  // "file:line:column" of the key, or of the table
  std::string path() const;                            // "[train]", "[[objective]]", "" at the root
  const std::filesystem::path& file() const;           // empty for parse()
  // Error(usage): where(key): what; remedy
  [[noreturn]] void fail(std::string_view key, std::string_view what, std::string_view remedy = {}) const;

  // Errors on the first key (in file order) below this table that no getter has asked for. Call at the root.
  void finish() const;
  // The whole document after --set, as TOML.
  std::string to_toml() const;

 private:
  Config(std::shared_ptr<ConfigDocument> document, std::vector<std::string> steps);
  std::shared_ptr<ConfigDocument> document_;
  std::vector<std::string> steps_;  // from the root to where the cursor stands
};

}  // namespace duet
