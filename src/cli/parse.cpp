#include "cli/parse.h"

#include <cstdio>
#include <functional>
#include <iostream>

#include "cli/grammar.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

namespace {

const CLI::App& deepest_parsed(const CLI::App& app) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  return *deepest;
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return names;
}

std::string see(const CLI::App& app) { return cat("see ", command_line_of(app), " --help"); }

[[noreturn]] void fail_unknown_command(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> names = names_of_commands(app);
  const std::string near = closest(word, names);
  fail(Exit::usage, command_line_of(app), cat("there is no command '", word, "'"),
       near.empty() ? cat("commands: ", joined(names)) : cat("did you mean '", near, "'?"));
}

[[noreturn]] void fail_unknown_option(const CLI::App& app, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& alias : option->get_lnames()) known.push_back("--" + alias);
    for (const std::string& alias : option->get_snames()) known.push_back("-" + alias);
  }
  const std::string near = closest(name, known);
  fail(Exit::usage, command_line_of(app), cat("there is no option ", name),
       near.empty() ? see(app) : cat("did you mean ", near, "?"));
}

[[noreturn]] void fail_extra(const CLI::App& app, const std::string& word) {
  if (word.size() > 1 && word.front() == '-') fail_unknown_option(app, word);
  if (!commands_of(app).empty()) fail_unknown_command(app, word);
  fail(Exit::usage, command_line_of(app), cat("one argument too many: '", word, "'"),
       cat("usage: ", usage_of(app)));
}

// CLI11 says "--batch: text", "RUN is required" or "--out: 1 required DIR missing".
[[noreturn]] void fail_as(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    fail(Exit::usage, command_line_of(app), cat(text.substr(0, text.find(" is required")), " is missing"),
         cat("usage: ", usage_of(app)));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    // Of flags CLI11 gives the name without its dashes.
    const std::string given = text.substr(0, text.find_first_of(": "));
    const std::string name = given.starts_with('-') ? given : "--" + given;
    const CLI::Option* option = app.get_option_no_throw(name);
    const bool takes_none = option == nullptr || option->get_expected_max() == 0;
    fail(Exit::usage, cat(command_line_of(app), ": ", name),
         takes_none ? std::string("takes no value")
                    : cat("its value is missing (", option->get_type_name(), ")"),
         see(app));
  }
  const std::size_t colon = text.find(": ");
  if (colon != std::string::npos && text.starts_with('-')) {
    fail(Exit::usage, cat(command_line_of(app), ": ", text.substr(0, colon)), text.substr(colon + 2));
  }
  fail(Exit::usage, command_line_of(app), text, see(app));
}

// The first thing wrong, most telling first: a word nobody knows explains what is missing after it.
[[noreturn]] void explain(const CLI::App& root, const CLI::ParseError& error) {
  for (const CLI::App* app = &root;; app = app->get_subcommands().front()) {
    for (const std::string& word : app->remaining()) {
      if (word != "--") fail_extra(*app, word);
    }
    if (app->get_subcommands().empty()) break;
  }
  fail_as(deepest_parsed(root), error);
}

std::string styled_help(const CLI::App& app) {
  return help_text(app, stdout_is_terminal() ? terminal_columns() : 80, terminal_styles());
}

const CLI::App& named_command(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* app = &root;
  for (const std::string& word : words) {
    const CLI::App* found = nullptr;
    for (const CLI::App* command : commands_of(*app)) {
      if (command->get_name() == word) found = command;
    }
    if (found == nullptr) fail_extra(*app, word);
    app = found;
  }
  return *app;
}

void add_help(Grammar& grammar) {
  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App& app = add_command(
      grammar.app, grammar, "help", "Shell", "print the help of a command",
      {{"of one command", "duet help train"}, {"of one in a family", "duet help tokenizer encode"}});
  app.add_option("COMMAND", *words, "the command (default: all of them)")->type_name("TEXT");
  app.callback([&grammar, words] { grammar.printout = styled_help(named_command(grammar.app, *words)); });
}

void add_completion(Grammar& grammar) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& app =
      add_command(grammar.app, grammar, "completion", "Shell", "print a completion script for a shell",
                  {{"bash, in ~/.bashrc", "source <(duet completion bash)"},
                   {"zsh, in a folder of $fpath", "duet completion zsh > ~/.zfunc/_duet"},
                   {"fish", "duet completion fish > ~/.config/fish/completions/duet.fish"}});
  add_choice(app, "SHELL", *shell, {"bash", "zsh", "fish"}, "whose script")->required();
  app.callback([&grammar, shell] { grammar.printout = completion_script(grammar.app, *shell); });
}

void add_man(Grammar& grammar) {
  CLI::App& app = add_command(
      grammar.app, grammar, "man", "Shell", "print the manual page",
      {{"read it", "duet man | man -l -"}, {"install it", "duet man > ~/.local/share/man/man1/duet.1"}});
  app.callback([&grammar] { grammar.printout = man_page(grammar.app); });
}

// What a command line that CLI11 accepts asks for, as text to print or as a command.
void parse_into(Grammar& grammar, int argc, char** argv) {
  CLI::App& app = grammar.app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    grammar.printout = styled_help(deepest_parsed(app));
  } catch (const CLI::ParseError& error) {
    explain(app, error);
  }
  if (grammar.quiet && grammar.verbose) fail(Exit::usage, "duet", "--quiet and --verbose exclude each other");
  if (grammar.show_version) grammar.printout = cat("duet ", version(), "\n");
  if (!grammar.command && grammar.printout.empty()) grammar.printout = styled_help(deepest_parsed(app));
}

}  // namespace

std::optional<Command> parse(int argc, char** argv, int& exit_code) {
  exit_code = static_cast<int>(Exit::ok);
  Grammar grammar;
  add_help(grammar);
  add_completion(grammar);
  add_man(grammar);
  try {
    parse_into(grammar, argc, argv);
  } catch (const Error& error) {
    log_error(error.what());
    exit_code = static_cast<int>(error.exit());
    return std::nullopt;
  }
  if (grammar.quiet) set_verbosity(Verbosity::quiet);
  if (grammar.verbose) set_verbosity(Verbosity::verbose);
  std::cout << grammar.printout;
  return std::move(grammar.command);
}

}  // namespace duet
