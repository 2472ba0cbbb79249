#include "core/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "core/config_document.h"
#include "core/files.h"
#include "core/format.h"
#include "core/toml_text.h"

namespace duet {
namespace {

std::string describe(Range range) {
  if (std::isinf(range.high))
    return std::isinf(range.low) ? "a number" : cat("a number of at least ", range.low);
  return cat("a number between ", range.low, " and ", range.high);
}

std::string describe(std::int64_t low, std::int64_t high) {
  if (high == INT64_MAX) return cat("an integer of at least ", low);
  return cat("an integer between ", low, " and ", high);
}

// One getter's request: the value if the key is there, and how to complain about it.
struct Request {
  ConfigDocument& document;
  const Steps& table;
  std::string_view key;
  toml::node* node;

  Request(ConfigDocument& d, const Steps& t, std::string_view k)
      : document(d), table(t), key(k), node(d.find(below(t, k))) {
    document.note_read(table, key);
  }

  [[noreturn]] void refuse(std::string_view what, std::string_view expected, std::string_view hint = {}) const {
    const std::string header = document.header(table);
    duet::fail(
        Exit::usage, document.place(below(table, key)),
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

Config::Config(std::shared_ptr<ConfigDocument> document, std::vector<std::string> steps)
    : document_(std::move(document)), steps_(std::move(steps)) {}

Config Config::read(const fs::path& file) {
  std::string text;
  try {
    text = read_file(file);
  } catch (const Error& error) {  // a recipe that is not there is a mistake on the command line
    throw Error(Exit::usage, error.what());
  }
  Config config = parse(text, file.string());
  config.document_->file = file;
  return config;
}

Config Config::parse(std::string_view text, std::string_view name) {
  return Config(std::make_shared<ConfigDocument>(text, name), {});
}

void Config::set(std::string_view assignment) { document_->set(assignment); }

bool Config::has(std::string_view key) const {
  document_->note_asked(steps_, key);
  return document_->find(below(steps_, key)) != nullptr;
}

bool Config::is_text(std::string_view key) const {
  const toml::node* node = document_->find(below(steps_, key));
  return node != nullptr && node->is_string();
}

std::int64_t Config::integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  const Request request(*document_, steps_, key);
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
  const Request request(*document_, steps_, key);
  return request.node ? request.number(*request.node, range) : fallback;
}

bool Config::flag(std::string_view key, bool fallback) {
  const Request request(*document_, steps_, key);
  if (!request.node) return fallback;
  if (!request.node->is_boolean()) request.refuse_kind(*request.node, "true or false");
  return request.node->as_boolean()->get();
}

std::string Config::text(std::string_view key, std::string_view fallback) {
  const Request request(*document_, steps_, key);
  if (!request.node) return std::string(fallback);
  if (request.node->is_string()) return request.node->as_string()->get();
  // A shell leaves no quotes: --set data.train=2024 names a folder. The document keeps it as the text it is.
  const Steps steps = below(steps_, key);
  const Override* set = document_->override_of(steps);
  if (!set || set->steps != steps || !request.node->is_value()) request.refuse_kind(*request.node, "a string");
  document_->replace(steps_, key, set->raw);
  return set->raw;
}

std::string Config::choice(std::string_view key, std::string_view fallback,
                           const std::vector<std::string>& allowed) {
  const std::string value = text(key, fallback);
  const Request request(*document_, steps_, key);
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
  const Request request(*document_, steps_, key);
  if (!request.node) return fallback;
  const toml::array* array = request.node->as_array();
  if (!array) {
    if (!request.node->is_value() ||
        (!request.node->is_string() && !document_->override_of(below(steps_, key)))) {
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
  const Request request(*document_, steps_, key);
  if (!request.node) return fallback;
  const toml::array* array = request.node->as_array();
  if (!array) return {request.number(*request.node, range)};
  std::vector<double> values;
  for (const toml::node& one : *array) values.push_back(request.number(one, range));
  return values;
}

Config Config::table(std::string_view key) {
  const Request request(*document_, steps_, key);
  const Steps steps = below(steps_, key);
  if (request.node && !request.node->is_table())
    request.refuse_kind(*request.node, "a table " + document_->header(steps));
  return Config(document_, steps);
}

std::vector<Config> Config::tables(std::string_view key) {
  const Request request(*document_, steps_, key);
  const Steps steps = below(steps_, key);
  if (!request.node) return {};
  if (request.node->is_table()) return {Config(document_, steps)};
  const toml::array* array = request.node->as_array();
  const std::string header = cat("[", document_->header(steps), "]");
  if (!array) request.refuse_kind(*request.node, "tables " + header);
  std::vector<Config> cursors;
  for (std::size_t i = 0; i < array->size(); ++i) {
    if (!array->get(i)->is_table()) request.refuse_kind(*array->get(i), "tables " + header);
    cursors.push_back(Config(document_, below(steps, std::to_string(i))));
  }
  return cursors;
}

std::vector<std::string> Config::keys() const {
  return document_->find(steps_) ? document_->keys_in_order(steps_) : std::vector<std::string>{};
}

std::string Config::where(std::string_view key) const { return document_->place(below(steps_, key)); }

std::string Config::path() const { return document_->header(steps_); }

const fs::path& Config::file() const { return document_->file; }

void Config::fail(std::string_view key, std::string_view what, std::string_view remedy) const {
  duet::fail(Exit::usage, where(key), what, remedy);
}

void Config::finish() const {
  if (document_->find(steps_)) document_->check_read(steps_);
}

std::string Config::to_toml() const {
  std::ostringstream out;
  document_->write(out);
  return std::move(out).str();
}

}  // namespace duet
