#include "core/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "core/files.h"
#include "core/format.h"

namespace duet {
namespace {

using Steps = std::vector<std::string>;  // keys, and positions in arrays, from the root

// What --set put in: its place in the document, its own text, and the value as it was typed.
struct Override {
  Steps steps;
  std::string place, raw;
};

bool begins_with(const Steps& steps, const Steps& start) {
  return start.size() <= steps.size() && std::equal(start.begin(), start.end(), steps.begin());
}

Steps below(Steps steps, std::string_view key) {
  if (!key.empty()) steps.emplace_back(key);
  return steps;
}

toml::node* child(toml::node& parent, const std::string& step) {
  if (toml::table* table = parent.as_table()) return table->get(step);
  toml::array* array = parent.as_array();
  const bool position = !step.empty() && step.size() < 9 &&
                        std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; });
  return array && position ? array->get(static_cast<std::size_t>(std::stoul(step))) : nullptr;
}

// The key in `key = value`, the '[' in a header: whichever the file has first.
toml::source_position place_of(const toml::key& key, const toml::node& value) {
  const auto of_key = key.source().begin, of_value = value.source().begin;
  if (!of_key) return of_value;
  return of_value && of_value < of_key ? of_value : of_key;
}

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

// The comment that a file opens with, for the resolved recipe: what follows it in the file is lost there.
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

// Of these a recipe has one: --set of one (but to 0) takes the others out.
const std::array<Steps, 3> kBudgets{{{"train", "steps"}, {"train", "epochs"}, {"train", "minutes"}}};

std::string describe(Range range) {
  if (std::isinf(range.high))
    return std::isinf(range.low) ? "a number" : cat("a number of at least ", range.low);
  return cat("a number between ", range.low, " and ", range.high);
}

std::string describe(std::int64_t low, std::int64_t high) {
  if (high == INT64_MAX) return cat("an integer of at least ", low);
  return cat("an integer between ", low, " and ", high);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

toml::table parse_toml(std::string_view text, std::string_view name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    fail(Exit::usage, at ? cat(name, ":", at.line, ":", at.column) : std::string(name), error.description());
  }
}

// "objective.0.weight" -> its three parts; TOML's own parser knows how keys are quoted.
Steps parse_key(const std::string& key, const std::string& place) {
  Steps steps;
  try {
    const toml::table document = toml::parse(key + " = 0");
    for (const toml::table* level = &document; level && level->size() == 1;
         level = level->begin()->second.as_table()) {
      steps.emplace_back(level->begin()->first.str());
    }
  } catch (const toml::parse_error&) {
    steps.clear();
  }
  if (steps.empty())
    fail(Exit::usage, place, cat("'", key, "' is no key"), "write --set KEY=VALUE, such as train.lr=1e-4");
  return steps;
}

// The value as TOML, or as plain text where it is none: a bare word, a path, "3#4".
toml::table parse_value(const std::string& raw) {
  const bool quoted = !raw.empty() && std::string_view("\"'[{").find(raw[0]) != std::string_view::npos;
  if (quoted || raw.find('#') == std::string::npos) {
    try {
      toml::table document = toml::parse("value = " + raw);
      if (document.size() == 1) return document;
    } catch (const toml::parse_error&) {
    }
  }
  return toml::table{{"value", raw}};
}

}  // namespace

struct Config::State {
  toml::table root;
  std::string name, comment;  // the comment that the file opens with
  fs::path file;
  std::vector<Override> overrides;
  std::map<Steps, std::set<std::string>> read;  // by table
  std::map<Steps, std::vector<std::string>>
      asked;  // by table, in the order of asking: what a typo may have meant

  toml::node* find(const Steps& steps) {
    toml::node* node = &root;
    for (const std::string& step : steps) {
      node = child(*node, step);
      if (!node) return nullptr;
    }
    return node;
  }

  void note(const Steps& table, std::string_view key) {
    auto& keys = asked[table];
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.emplace_back(key);
  }

  const Override* override_of(const Steps& steps) const {
    for (auto one = overrides.rbegin(); one != overrides.rend(); ++one) {
      if (begins_with(steps, one->steps)) return &*one;
    }
    return nullptr;
  }

  // A table that exists only because --set put something into it.
  const Override* override_below(const Steps& steps) const {
    for (const Override& one : overrides) {
      if (begins_with(one.steps, steps)) return &one;
    }
    return nullptr;
  }

  std::string place(Steps steps) {
    for (; !steps.empty(); steps.pop_back()) {
      toml::node* node = find(steps);
      if (!node) continue;  // an absent key is reported where its table stands
      if (const Override* set = override_of(steps)) return set->place;
      auto at = node->source().begin;
      toml::node* parent = find(Steps(steps.begin(), steps.end() - 1));
      if (const toml::table* table = parent->as_table()) at = place_of(table->find(steps.back())->first, *node);
      if (at) return cat(name, ":", at.line, ":", at.column);
      if (const Override* set = override_below(steps)) return set->place;
    }
    return name;
  }

  // "[train]", "[train.group]", "[[objective]]": positions are left out, the place tells which one it is.
  std::string header(const Steps& steps) {
    std::string names;
    bool element = false;
    toml::node* node = &root;
    for (const std::string& step : steps) {
      element = node && node->is_array();
      if (!element) names += (names.empty() ? "" : ".") + text_of_key(step);
      node = node ? child(*node, step) : nullptr;
    }
    if (names.empty()) return "";
    return element ? cat("[[", names, "]]") : cat("[", names, "]");
  }

  std::vector<std::string> keys_in_order(const Steps& steps) {
    toml::node* node = find(steps);
    std::vector<std::pair<toml::source_position, std::string>> placed;
    for (const auto& [key, value] : *node->as_table()) {
      placed.emplace_back(place_of(key, value), std::string(key.str()));
    }
    // keys without a place came by --set: last
    std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
      if (!a.first || !b.first) return a.first && !b.first;
      return a.first < b.first;
    });
    std::vector<std::string> keys;
    for (auto& one : placed) keys.push_back(std::move(one.second));
    return keys;
  }

  void check_read(const Steps& table);
  void write(std::ostream& out, const Steps& table);
  [[noreturn]] void fail_unknown(const Steps& table, const std::string& key);
};

// Where the cursor stands.
struct Config::Node {
  Steps steps;
  bool is_root() const { return steps.empty(); }
};

namespace {

// One getter's request: the value if the key is there, and how to complain about it.
template <class State>
struct Request {
  State& state;
  const Steps& table;
  std::string_view key;
  toml::node* node;

  Request(State& s, const Steps& t, std::string_view k)
      : state(s), table(t), key(k), node(s.find(below(t, k))) {
    state.note(table, key);
    state.read[table].insert(std::string(key));
  }

  [[noreturn]] void refuse(std::string_view what, std::string_view expected, std::string_view hint = {}) const {
    const std::string header = state.header(table);
    duet::fail(
        Exit::usage, state.place(below(table, key)),
        cat("'", key, "' ", header.empty() ? "" : "in " + header + " ", what, ", expected ", expected, hint));
  }
  [[noreturn]] void refuse_kind(const toml::node& found, std::string_view expected) const {
    refuse(cat(&found == node ? "is " : "holds ", kind_of(found)), expected);
  }

  double number(const toml::node& found, Range range) const {
    if (!found.is_number()) refuse_kind(found, describe(range));
    const double value =
        found.is_integer() ? static_cast<double>(found.as_integer()->get()) : found.as_floating_point()->get();
    if (!(value >= range.low && value <= range.high)) {
      refuse(cat(&found == node ? "is " : "holds ", text_of(found)), describe(range));
    }
    return value;
  }
};

}  // namespace

Config::Config(std::shared_ptr<State> state, Node node)
    : state_(std::move(state)), node_(std::make_shared<Node>(std::move(node))) {}

Config Config::read(const fs::path& file) {
  std::string text;
  try {
    text = read_file(file);
  } catch (const Error& error) {  // a recipe that is not there is a mistake on the command line
    throw Error(Exit::usage, error.what());
  }
  Config config = parse(text, file.string());
  config.state_->file = file;
  return config;
}

Config Config::parse(std::string_view text, std::string_view name) {
  auto state = std::make_shared<State>();
  state->root = parse_toml(text, name);
  state->name = name;
  state->comment = opening_comment(text);
  return Config(std::move(state), Node{});
}

void Config::set(std::string_view assignment) {
  const std::string place = cat("--set ", assignment);
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    duet::fail(Exit::usage, place, "has no '='", "write --set KEY=VALUE, such as train.lr=1e-4");
  }
  const std::string raw = trimmed(assignment.substr(equals + 1));
  const Steps steps = parse_key(trimmed(assignment.substr(0, equals)), place);
  toml::node* parent = &state_->root;
  Steps so_far;
  const auto refuse = [&](std::string_view step) {
    const toml::array* array = parent->as_array();
    const std::string known = so_far.empty() ? "it" : cat("'", joined(so_far, "."), "'");
    if (!array) duet::fail(Exit::usage, place, cat(known, " is ", kind_of(*parent), ", not a table"));
    duet::fail(Exit::usage, place, cat(known, " has ", array->size(), " entries, '", step, "' is none of them"),
               array->empty() ? "" : cat("write a position from 0 to ", array->size() - 1));
  };
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    toml::node* next = child(*parent, steps[i]);
    if (!next && parent->is_table()) {
      parent->as_table()->insert(steps[i], toml::table{});
      next = child(*parent, steps[i]);
    }
    if (!next) refuse(steps[i]);
    parent = next;
    so_far.push_back(steps[i]);
  }
  const toml::table value = parse_value(raw);
  if (toml::table* table = parent->as_table()) {
    table->insert_or_assign(steps.back(), *value.get("value"));
  } else {
    if (!child(*parent, steps.back())) refuse(steps.back());
    toml::array& array = *parent->as_array();
    const auto at = array.cbegin() + std::stol(steps.back());
    array.erase(array.insert(at, *value.get("value")) + 1);
  }
  if (std::find(kBudgets.begin(), kBudgets.end(), steps) != kBudgets.end() &&
      value.get("value")->value<double>().value_or(0) > 0) {
    for (const Steps& other : kBudgets) {
      if (other != steps) parent->as_table()->erase(other.back());
    }
    std::erase_if(state_->overrides, [&](const Override& one) {
      return std::find(kBudgets.begin(), kBudgets.end(), one.steps) != kBudgets.end();
    });
  }
  state_->overrides.push_back({steps, place, raw});
}

bool Config::has(std::string_view key) const {
  state_->note(node_->steps, key);
  return state_->find(below(node_->steps, key)) != nullptr;
}

bool Config::is_text(std::string_view key) const {
  const toml::node* node = state_->find(below(node_->steps, key));
  return node != nullptr && node->is_string();
}

std::int64_t Config::integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  const Request<State> request(*state_, node_->steps, key);
  if (!request.node) return fallback;
  const std::string expected = describe(low, high);
  if (request.node->is_floating_point())
    request.refuse(cat("is the fraction ", text_of(*request.node)), expected);
  if (!request.node->is_integer()) request.refuse_kind(*request.node, expected);
  const std::int64_t value = request.node->as_integer()->get();
  if (value < low || value > high) request.refuse(cat("is ", value), expected);
  return value;
}

double Config::number(std::string_view key, double fallback, Range range) {
  const Request<State> request(*state_, node_->steps, key);
  return request.node ? request.number(*request.node, range) : fallback;
}

bool Config::flag(std::string_view key, bool fallback) {
  const Request<State> request(*state_, node_->steps, key);
  if (!request.node) return fallback;
  if (!request.node->is_boolean()) request.refuse_kind(*request.node, "true or false");
  return request.node->as_boolean()->get();
}

std::string Config::text(std::string_view key, std::string_view fallback) {
  const Request<State> request(*state_, node_->steps, key);
  if (!request.node) return std::string(fallback);
  if (request.node->is_string()) return request.node->as_string()->get();
  // A shell leaves no quotes: --set data.train=2024 names a folder. The document keeps it as the text it is.
  const Steps steps = below(node_->steps, key);
  const Override* set = state_->override_of(steps);
  if (!set || set->steps != steps || !request.node->is_value()) request.refuse_kind(*request.node, "a string");
  toml::node* table = state_->find(node_->steps);
  table->as_table()->insert_or_assign(std::string(key), set->raw);
  return set->raw;
}

std::string Config::choice(std::string_view key, std::string_view fallback,
                           const std::vector<std::string>& allowed) {
  const std::string value = text(key, fallback);
  const Request<State> request(*state_, node_->steps, key);
  if (request.node && std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    request.refuse(cat("is '", value, "'"), "one of " + joined(allowed), did_you_mean(value, allowed));
  }
  return value;
}

std::string Config::required_text(std::string_view key) {
  if (!has(key)) {
    const std::string header = path();
    fail("", cat(header.empty() ? "the recipe" : header, " needs '", key, "'"), "it is a string");
  }
  return text(key, "");
}

std::vector<std::string> Config::texts(std::string_view key, const std::vector<std::string>& fallback) {
  const Request<State> request(*state_, node_->steps, key);
  if (!request.node) return fallback;
  const toml::array* array = request.node->as_array();
  if (!array) {
    if (!request.node->is_value() ||
        (!request.node->is_string() && !state_->override_of(below(node_->steps, key)))) {
      request.refuse_kind(*request.node, "a string or a list of strings");
    }
    return {text(key, "")};
  }
  std::vector<std::string> values;
  for (const toml::node& one : *array) {
    if (!one.is_string()) request.refuse_kind(one, "a string or a list of strings");
    values.push_back(one.as_string()->get());
  }
  return values;
}

std::vector<double> Config::numbers(std::string_view key, const std::vector<double>& fallback, Range range) {
  const Request<State> request(*state_, node_->steps, key);
  if (!request.node) return fallback;
  const toml::array* array = request.node->as_array();
  if (!array) return {request.number(*request.node, range)};
  std::vector<double> values;
  for (const toml::node& one : *array) values.push_back(request.number(one, range));
  return values;
}

Config Config::table(std::string_view key) {
  const Request<State> request(*state_, node_->steps, key);
  const Steps steps = below(node_->steps, key);
  if (request.node && !request.node->is_table())
    request.refuse_kind(*request.node, "a table " + state_->header(steps));
  return Config(state_, Node{steps});
}

std::vector<Config> Config::tables(std::string_view key) {
  const Request<State> request(*state_, node_->steps, key);
  const Steps steps = below(node_->steps, key);
  if (!request.node) return {};
  if (request.node->is_table()) return {Config(state_, Node{steps})};
  const toml::array* array = request.node->as_array();
  const std::string header = cat("[", state_->header(steps), "]");
  if (!array) request.refuse_kind(*request.node, "tables " + header);
  std::vector<Config> cursors;
  for (std::size_t i = 0; i < array->size(); ++i) {
    if (!array->get(i)->is_table()) request.refuse_kind(*array->get(i), "tables " + header);
    cursors.push_back(Config(state_, Node{below(steps, std::to_string(i))}));
  }
  return cursors;
}

std::vector<std::string> Config::keys() const {
  return state_->find(node_->steps) ? state_->keys_in_order(node_->steps) : std::vector<std::string>{};
}

std::string Config::where(std::string_view key) const { return state_->place(below(node_->steps, key)); }

std::string Config::path() const { return state_->header(node_->steps); }

const fs::path& Config::file() const { return state_->file; }

void Config::fail(std::string_view key, std::string_view what, std::string_view remedy) const {
  duet::fail(Exit::usage, where(key), what, remedy);
}

void Config::State::fail_unknown(const Steps& table, const std::string& key) {
  const Steps steps = below(table, key);
  const toml::node* node = find(steps);
  const std::string inside = header(table);
  std::string what = node->is_table() ? cat("unknown table ", header(steps))
                     : node->is_array_of_tables()
                         ? cat("unknown table [", header(steps), "]")
                         : cat("unknown key '", key, "'", inside.empty() ? "" : " in " + inside);
  auto options = asked[table];
  std::erase(options, key);
  std::string remedy = did_you_mean(key, options);
  if (remedy.empty() && !options.empty()) remedy = cat("; known here: ", joined(options));
  duet::fail(Exit::usage, place(steps), what + remedy);
}

void Config::State::check_read(const Steps& table) {
  for (const std::string& key : keys_in_order(table)) {
    if (!read[table].contains(key)) fail_unknown(table, key);
    const Steps steps = below(table, key);
    const toml::node* node = find(steps);
    if (node->is_table()) check_read(steps);
    if (!node->is_array_of_tables()) continue;
    for (std::size_t i = 0; i < node->as_array()->size(); ++i) check_read(below(steps, std::to_string(i)));
  }
}

void Config::finish() const {
  if (state_->find(node_->steps)) state_->check_read(node_->steps);
}

// A table's values and then the tables in it, both in the order of the file.
void Config::State::write(std::ostream& out, const Steps& table) {
  std::vector<Steps> values, tables;
  for (const std::string& key : keys_in_order(table)) {
    Steps steps = table;
    steps.push_back(key);
    const toml::node& node = *find(steps);
    (node.is_table() || node.is_array_of_tables() ? tables : values).push_back(std::move(steps));
  }
  const std::string head = header(table);
  const bool needed = !values.empty() || tables.empty() || head.starts_with("[[");
  if (!head.empty() && needed) out << (out.tellp() > 0 ? "\n" : "") << head << "\n";
  for (const Steps& steps : values) out << text_of_key(steps.back()) << " = " << toml_of(*find(steps)) << "\n";
  for (const Steps& steps : tables) {
    const toml::array* array = find(steps)->as_array();
    if (!array) write(out, steps);
    for (std::size_t i = 0; array && i < array->size(); ++i) write(out, below(steps, std::to_string(i)));
  }
}

std::string Config::to_toml() const {
  std::ostringstream out;
  out << state_->comment;
  state_->write(out, {});
  return std::move(out).str();
}

}  // namespace duet
