// Help as people read it: purpose, usage, arguments, options with defaults, examples.
#include <algorithm>

#include "cli/grammar.h"
#include "cli/terminal.h"
#include "core/format.h"
#include "text/unicode.h"

namespace duet {

namespace {

struct Row {
  std::string left, right;
};

std::string heading(std::string_view text, bool styled) { return cat("\n", bold(text, styled), "\n"); }

// A list of choices that is too long for a line is broken behind a bar.
std::string broken(const std::string& left, std::size_t columns) {
  const std::string begin = "  ", next(8, ' ');
  std::string out, line = begin;
  for (std::size_t at = 0; at < left.size();) {
    const std::size_t bar = left.find('|', at);
    const std::string piece = left.substr(at, bar == std::string::npos ? bar : bar + 1 - at);
    if (display_width(line) + display_width(piece) > columns && line != begin) {
      out += line + "\n";
      line = next;
    }
    line += piece;
    at += piece.size();
  }
  return out + line;
}

std::string rows_text(const std::vector<Row>& rows, std::size_t columns) {
  std::size_t widest = 0;
  for (const Row& row : rows) widest = std::max(widest, display_width(row.left));
  const std::size_t indent = std::min<std::size_t>(widest, 30) + 4;
  std::string out;
  for (const Row& row : rows) {
    const std::size_t width = display_width(row.left);
    out += broken(row.left, columns);
    // A long left side has the first line to itself.
    out += width + 4 > indent ? cat("\n", std::string(indent, ' ')) : std::string(indent - 2 - width, ' ');
    out += wrapped(row.right, columns, indent) + "\n";
  }
  return out;
}

std::string meaning_of(const CLI::Option& option) {
  std::string text = option.get_description();
  if (option.get_required() && !option.get_positional()) text += " (required)";
  if (!option.get_default_str().empty()) text += cat(" (default: ", option.get_default_str(), ")");
  return text;
}

Row option_row(const CLI::Option& option) {
  std::string left = option.get_snames().empty() ? cat("    ", names_of(option)) : names_of(option);
  if (option.get_expected_max() > 0) left += " " + option.get_type_name();
  return {left, meaning_of(option)};
}

// The commands that do something; a family stands for its members, so that all can be seen at once.
void collect(const CLI::App& app, std::size_t skip, std::vector<std::pair<std::string, Row>>& rows,
             const std::string& group) {
  for (const CLI::App* command : commands_of(app)) {
    const std::string own = group.empty() ? command->get_group() : group;
    if (commands_of(*command).empty()) {
      rows.push_back({own, {command_line_of(*command).substr(skip), command->get_description()}});
    } else {
      collect(*command, skip, rows, own);
    }
  }
}

std::string commands_text(const CLI::App& app, std::size_t columns, bool styled) {
  std::vector<std::pair<std::string, Row>> rows;
  collect(app, command_line_of(app).size() + 1, rows, app.get_parent() == nullptr ? "" : "Commands");
  std::vector<std::string> groups;
  std::size_t widest = 0;
  for (const auto& [group, row] : rows) {
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
    widest = std::max(widest, row.left.size());
  }
  std::string out;
  for (const std::string& group : groups) {
    std::vector<Row> members;
    for (const auto& [name, row] : rows) {
      if (name == group) members.push_back({row.left + std::string(widest - row.left.size(), ' '), row.right});
    }
    out += heading(group, styled) + rows_text(members, columns);
  }
  return out;
}

std::string options_text(const CLI::App& app, std::size_t columns, bool styled) {
  std::string out;
  std::vector<Row> own, common;
  for (const CLI::Option* option : options_of(app)) {
    (option->get_group() == "Options" ? own : common).push_back(option_row(*option));
  }
  if (!own.empty()) out += heading("Options", styled) + rows_text(own, columns);
  return out + heading("Common options", styled) + rows_text(common, columns);
}

}  // namespace

std::string help_text(const CLI::App& app, std::size_t columns, bool styled) {
  columns = std::clamp<std::size_t>(columns, 40, 100);
  const std::string name = command_line_of(app);
  std::string out =
      cat(bold(name, styled), ": ", wrapped(app.get_description(), columns, name.size() + 2), "\n");
  out += heading("Usage", styled) + "  " + usage_of(app) + "\n";
  std::vector<Row> arguments;
  for (const CLI::Option* argument : arguments_of(app)) {
    arguments.push_back({argument->get_name(true), meaning_of(*argument)});
  }
  if (!arguments.empty()) out += heading("Arguments", styled) + rows_text(arguments, columns);
  out += commands_text(app, columns, styled) + options_text(app, columns, styled);
  const std::vector<Example> examples = examples_of(app);
  if (!examples.empty()) out += heading("Examples", styled);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    out += cat("  # ", examples[i].meaning, "\n  ", examples[i].line, "\n");
  }
  return out;
}

}  // namespace duet
