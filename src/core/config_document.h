// The document under a Config: what a recipe's file and --set say, where each key stands, and which keys were
// asked for.
#pragma once
#include <toml++/toml.h>

#include <filesystem>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

using Steps = std::vector<std::string>;  // keys, and positions in arrays, from the root

Steps below(Steps steps, std::string_view key);  // the same steps where the key is empty

// What --set put in: its place in the document, its own text, and the value as it was typed.
struct Override {
  Steps steps;
  std::string place, raw;
};

class ConfigDocument {
 public:
  ConfigDocument(std::string_view text, std::string_view name);  // Error(usage): name:line:column: what
  void set(std::string_view assignment);                         // Config::set
  void replace(const Steps& table, std::string_view key, const std::string& text);

  toml::node* find(const Steps& steps);                        // null: not there
  const Override* override_of(const Steps& steps) const;       // the last --set of it, or of what it lies in
  std::string place(Steps steps);                              // "file:line:column"
  std::string header(const Steps& steps);                      // "[train]", "[train.group]", "[[objective]]"
  std::vector<std::string> keys_in_order(const Steps& table);  // of the file

  void note_asked(const Steps& table, std::string_view key);  // what a typo may have meant
  void note_read(const Steps& table, std::string_view key);   // and it was asked for
  void check_read(const Steps& table);                        // Error(usage) on the first key that was not read
  void write(std::ostream& out);                              // as TOML

  std::filesystem::path file;  // empty: from a string

 private:
  const Override* override_below(const Steps& steps) const;
  void write(std::ostream& out, const Steps& table);
  void take_out_other_budgets(const Steps& steps);
  [[noreturn]] void fail_unknown(const Steps& table, const std::string& key);

  toml::table root_;
  std::string name_, comment_;  // the latter: what the file opens with
  std::vector<Override> overrides_;
  std::map<Steps, std::set<std::string>> read_;      // by table
  std::map<Steps, std::vector<std::string>> asked_;  // by table, in the order of asking
};

}  // namespace duet
