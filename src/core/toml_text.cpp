#include "core/toml_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <vector>

#include "core/format.h"

namespace duet {
namespace {

// In the shortest form that reads back as the same number, and as no integer.
std::string shortest(double number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const std::string text(digits.data(), end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

// One line: strings in double quotes, as recipes have them.
std::string text_of_value(const toml::node& node) {
  std::ostringstream out;
  out << toml::toml_formatter(node, toml::format_flags::allow_unicode_strings);
  return std::move(out).str();
}

}  // namespace

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return node.is_array_of_tables() ? "a list of tables" : "a list";
    default:
      return "a date or time";
  }
}

std::string text_of(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) out << value.get();
  });
  return std::move(out).str();
}

std::string text_of_key(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return bare ? key : text_of_value(toml::value<std::string>(key));
}

std::string toml_of(const toml::node& node) {
  std::vector<std::string> parts;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& one : *array) parts.push_back(toml_of(one));
    return cat("[", joined(parts), "]");
  }
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table)
      parts.push_back(cat(text_of_key(std::string(key.str())), " = ", toml_of(value)));
    return cat("{", joined(parts), "}");
  }
  const auto* number = node.as_floating_point();
  return number ? shortest(number->get()) : text_of_value(node);
}

std::string opening_comment(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::istringstream lines{std::string(text)};
  std::string comment;
  for (std::string line; std::getline(lines, line) && line.starts_with('#');) {
    if (line.ends_with('\r')) line.pop_back();
    comment += line + "\n";
  }
  return comment;
}

}  // namespace duet
