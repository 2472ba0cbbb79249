#include "core/config_document.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "core/error.h"
#include "core/format.h"
#include "core/toml_text.h"

namespace duet {
namespace {

bool begins_with(const Steps& steps, const Steps& start) {
  return start.size() <= steps.size() && std::equal(start.begin(), start.end(), steps.begin());
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

// Of these a recipe has one: --set of one (but to 0) takes the others out.
const std::array<Steps, 3> kBudgets{{{"train", "steps"}, {"train", "epochs"}, {"train", "minutes"}}};

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

Steps below(Steps steps, std::string_view key) {
  if (!key.empty()) steps.emplace_back(key);
  return steps;
}

ConfigDocument::ConfigDocument(std::string_view text, std::string_view name)
    : root_(parse_toml(text, name)), name_(name), comment_(opening_comment(text)) {}

toml::node* ConfigDocument::find(const Steps& steps) {
  toml::node* node = &root_;
  for (const std::string& step : steps) {
    node = child(*node, step);
    if (!node) return nullptr;
  }
  return node;
}

void ConfigDocument::note_asked(const Steps& table, std::string_view key) {
  auto& keys = asked_[table];
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.emplace_back(key);
}

void ConfigDocument::note_read(const Steps& table, std::string_view key) {
  note_asked(table, key);
  read_[table].insert(std::string(key));
}

const Override* ConfigDocument::override_of(const Steps& steps) const {
  for (auto one = overrides_.rbegin(); one != overrides_.rend(); ++one) {
    if (begins_with(steps, one->steps)) return &*one;
  }
  return nullptr;
}

// A table that exists only because --set put something into it.
const Override* ConfigDocument::override_below(const Steps& steps) const {
  for (const Override& one : overrides_) {
    if (begins_with(one.steps, steps)) return &one;
  }
  return nullptr;
}

std::string ConfigDocument::place(Steps steps) {
  for (; !steps.empty(); steps.pop_back()) {
    toml::node* node = find(steps);
    if (!node) continue;  // an absent key is reported where its table stands
    if (const Override* set = override_of(steps)) return set->place;
    auto at = node->source().begin;
    toml::node* parent = find(Steps(steps.begin(), steps.end() - 1));
    if (const toml::table* table = parent->as_table()) at = place_of(table->find(steps.back())->first, *node);
    if (at) return cat(name_, ":", at.line, ":", at.column);
    if (const Override* set = override_below(steps)) return set->place;
  }
  return name_;
}

// Positions are left out: the place tells which one it is.
std::string ConfigDocument::header(const Steps& steps) {
  std::string names;
  bool element = false;
  toml::node* node = &root_;
  for (const std::string& step : steps) {
    element = node && node->is_array();
    if (!element) names += cat(names.empty() ? "" : ".", text_of_key(step));
    node = node ? child(*node, step) : nullptr;
  }
  if (names.empty()) return "";
  return element ? cat("[[", names, "]]") : cat("[", names, "]");
}

std::vector<std::string> ConfigDocument::keys_in_order(const Steps& steps) {
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

void ConfigDocument::set(std::string_view assignment) {
  const std::string place = cat("--set ", assignment);
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    fail(Exit::usage, place, "has no '='", "write --set KEY=VALUE, such as train.lr=1e-4");
  }
  const std::string raw = trimmed(assignment.substr(equals + 1));
  const Steps steps = parse_key(trimmed(assignment.substr(0, equals)), place);
  toml::node* parent = &root_;
  Steps so_far;
  const auto refuse = [&](std::string_view step) {
    const toml::array* array = parent->as_array();
    const std::string known = so_far.empty() ? "it" : cat("'", joined(so_far, "."), "'");
    if (!array) fail(Exit::usage, place, cat(known, " is ", kind_of(*parent), ", not a table"));
    fail(Exit::usage, place, cat(known, " has ", array->size(), " entries, '", step, "' is none of them"),
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
  if (value.get("value")->value<double>().value_or(0) > 0) take_out_other_budgets(steps);
  overrides_.push_back({steps, place, raw});
}

void ConfigDocument::take_out_other_budgets(const Steps& steps) {
  const auto is_budget = [](const Steps& one) {
    return std::find(kBudgets.begin(), kBudgets.end(), one) != kBudgets.end();
  };
  if (!is_budget(steps)) return;
  toml::table* table = find(Steps(steps.begin(), steps.end() - 1))->as_table();
  for (const Steps& other : kBudgets) {
    if (other != steps) table->erase(other.back());
  }
  std::erase_if(overrides_, [&](const Override& one) { return is_budget(one.steps); });
}

// The document keeps what a getter took the value for.
void ConfigDocument::replace(const Steps& table, std::string_view key, const std::string& text) {
  find(table)->as_table()->insert_or_assign(std::string(key), text);
}

void ConfigDocument::fail_unknown(const Steps& table, const std::string& key) {
  const Steps steps = below(table, key);
  const toml::node* node = find(steps);
  const std::string inside = header(table);
  std::string what = node->is_table() ? cat("unknown table ", header(steps))
                     : node->is_array_of_tables()
                         ? cat("unknown table [", header(steps), "]")
                         : cat("unknown key '", key, "'", inside.empty() ? "" : " in " + inside);
  auto options = asked_[table];
  std::erase(options, key);
  std::string remedy = did_you_mean(key, options);
  if (remedy.empty() && !options.empty()) remedy = cat("; known here: ", joined(options));
  fail(Exit::usage, place(steps), what + remedy);
}

void ConfigDocument::check_read(const Steps& table) {
  for (const std::string& key : keys_in_order(table)) {
    if (!read_[table].contains(key)) fail_unknown(table, key);
    const Steps steps = below(table, key);
    const toml::node* node = find(steps);
    if (node->is_table()) check_read(steps);
    if (!node->is_array_of_tables()) continue;
    for (std::size_t i = 0; i < node->as_array()->size(); ++i) check_read(below(steps, std::to_string(i)));
  }
}

// A table's values and then the tables in it, both in the order of the file.
void ConfigDocument::write(std::ostream& out, const Steps& table) {
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

void ConfigDocument::write(std::ostream& out) {
  out << comment_;
  write(out, {});
}

}  // namespace duet
