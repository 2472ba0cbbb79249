// The manual page, written from the tree of commands.
#include <sstream>

#include "cli/grammar.h"
#include "core/format.h"

namespace duet {

namespace {

// Text of a troff document: no character of it is a command.
std::string troff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out = "\\&";
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '"')
      out += "\\(dq";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '~')
      out += "\\(ti";
    else if (c == '^')
      out += "\\(ha";
    else
      out += c;
  }
  return out;
}

void write_term(std::ostream& out, const std::string& term, const std::string& value,
                const std::string& meaning) {
  out << ".TP\n\\fB" << troff(term) << "\\fR";
  if (!value.empty()) out << " \\fI" << troff(value) << "\\fR";
  out << "\n" << troff(meaning) << "\n";
}

void write_option(std::ostream& out, const CLI::Option& option) {
  std::string meaning = option.get_description();
  if (option.get_required()) meaning += " (required)";
  if (!option.get_default_str().empty()) meaning += cat(" (default: ", option.get_default_str(), ")");
  const bool value = option.get_expected_max() > 0 && !option.get_positional();
  write_term(out, names_of(option), value ? option.get_type_name() : "", meaning);
}

void write_examples(std::ostream& out, const CLI::App& app) {
  for (const Example& example : examples_of(app)) {
    out << ".PP\n" << troff(example.meaning) << ":\n.PP\n.EX\n    " << troff(example.line) << "\n.EE\n";
  }
}

void write_command(std::ostream& out, const CLI::App& app) {
  out << ".SS " << troff(usage_of(app)) << "\n" << troff(app.get_description()) << ".\n";
  for (const CLI::Option* argument : arguments_of(app)) write_option(out, *argument);
  for (const CLI::Option* option : options_of(app)) {
    if (option->get_group() == "Options") write_option(out, *option);
  }
  write_examples(out, app);
}

void write_commands(std::ostream& out, const CLI::App& app) {
  for (const CLI::App* command : commands_of(app)) {
    if (commands_of(*command).empty()) {
      write_command(out, *command);
    } else {
      write_commands(out, *command);
    }
  }
}

void write_places(std::ostream& out) {
  out << ".SH ENVIRONMENT\n";
  write_term(out, "DUET_BUNDLE", "", "the bundle that duet search asks when no -b is given");
  write_term(out, "DUET_ENGINE", "",
             "the program that does what needs LibTorch (default: libexec/duet/duet-engine beside bin/)");
  write_term(out, "NO_COLOR", "", "set to anything: no bold text, no links, no colours");
  out << ".SH EXIT STATUS\n";
  write_term(out, "0", "", "done");
  write_term(out, "1", "", "failed: disk full, out of memory, a fault of duet");
  write_term(out, "2", "", "command line or recipe");
  write_term(out, "3", "", "bad data: manifest, captions, pictures");
  write_term(out, "4", "", "bad checkpoint, bundle or tokenizer: damaged, or of another model");
  write_term(
      out, "130, 143", "",
      "interrupted by Ctrl-C or SIGTERM; training saves its state, or says that there is nothing to save yet");
  out << ".SH FILES\n";
  write_term(out, "runs/NAME/", "", "a run: recipe.toml, tokenizer.model, checkpoints, metrics, report.html");
  write_term(out, "runs/NAME/index/", "", "its bundle, where duet index writes it and duet search finds it");
}

}  // namespace

std::string man_page(const CLI::App& app) {
  std::ostringstream out;
  out << ".TH DUET 1 \"\" \"duet " << troff(version())
      << "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\nduet \\- " << troff(app.get_description())
      << "\n.SH SYNOPSIS\n.B duet\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n"
      << troff(
             "duet trains an image encoder and a text encoder together on pictures and captions, embeds and "
             "indexes pictures, "
             "and finds them again by text or by picture. Results go to standard output, progress and messages "
             "to standard error.")
      << "\n.SH COMMANDS\n";
  write_commands(out, app);
  out << ".SH COMMON OPTIONS\n";
  for (const CLI::Option* option : options_of(app)) write_option(out, *option);
  write_places(out);
  out << ".SH EXAMPLES\n";
  write_examples(out, app);
  return out.str();
}

}  // namespace duet
