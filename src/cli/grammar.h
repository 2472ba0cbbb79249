// The tree of commands as CLI11 holds it. The parser, the help, the completion scripts and the man page all
// read it, so an option is declared once. Only src/cli sees CLI11.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace duet {

struct Grammar {
  CLI::App app;
  std::optional<Command> command;  // left by the callback of the command that was parsed
  std::string printout;            // or what `help`, `completion` and `man` print
  bool quiet = false, verbose = false, show_version = false;

  Grammar();
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
};

struct Example {
  std::string meaning, line;
};

// A command with its one-line purpose and its examples. `group` is its heading in the list of commands.
CLI::App& add_command(CLI::App& parent, Grammar& grammar, const std::string& name, const std::string& group,
                      const std::string& purpose, const std::vector<Example>& examples);
// A command that only holds others: data, tokenizer.
CLI::App& add_family(CLI::App& parent, Grammar& grammar, const std::string& name, const std::string& group,
                     const std::string& purpose);

// One option, or a positional argument when the name is in capitals. `kind` names its value in the help and
// says how a shell completes it: DIR, RUN and BUNDLE are folders; FILE, PATH, RECIPE, MODEL files or folders;
// a|b|c one of these.
CLI::Option* add_value(CLI::App& app, const std::string& names, std::string& value, const std::string& kind,
                       const std::string& meaning);
CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value,
                        const std::vector<std::string>& choices, const std::string& meaning);
CLI::Option* add_integer(CLI::App& app, const std::string& names, std::int64_t& value, std::int64_t low,
                         std::int64_t high, const std::string& meaning);
CLI::Option* add_integer(CLI::App& app, const std::string& names, int& value, int low, int high,
                         const std::string& meaning);
CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                      const std::string& kind, const std::string& meaning);
void add_switch(CLI::App& app, const std::string& names, bool& value, const std::string& meaning);
void add_switch_off(CLI::App& app, const std::string& names, bool& value, const std::string& meaning);

// Options that several commands share, in one wording.
void add_root(CLI::App& app, std::string& root);
void add_device(CLI::App& app, std::string& device);
void add_checkpoint(CLI::App& app, std::string& checkpoint);
void add_batch(CLI::App& app, int& batch);
void add_max_bad_fraction(CLI::App& app, double& fraction);
void add_threads(CLI::App& app, int& threads, const std::string& what);
void add_sets(CLI::App& app, std::vector<std::string>& sets);
void add_labels(CLI::App& app, LabelOptions& labels);  // columns of classes, concepts and texts
// Error(usage) for a column of texts without --texts.
void check_labels(const CLI::App& app, const LabelOptions& labels);

// Error(usage) naming the options unless exactly one of them was given.
void require_one_of(const CLI::App& app, const std::vector<CLI::Option*>& options);

// One file a group of commands: parse_<group>.cpp.
void add_train(Grammar& grammar);
void add_evaluate(Grammar& grammar);
void add_check(Grammar& grammar);
void add_ablate(Grammar& grammar);
void add_fewshot(Grammar& grammar);
void add_index(Grammar& grammar);
void add_search(Grammar& grammar);
void add_embed(Grammar& grammar);
void add_classify(Grammar& grammar);
void add_look(Grammar& grammar);
void add_data(Grammar& grammar);
void add_tokenizer(Grammar& grammar);

// What else reads the tree.
std::string help_text(const CLI::App& app, std::size_t columns, bool styled);
std::string completion_script(const CLI::App& app, std::string_view shell);  // bash | zsh | fish
std::string man_page(const CLI::App& app);                                   // troff, man macros

std::string command_line_of(const CLI::App& app);                   // "duet tokenizer train"
std::vector<const CLI::App*> commands_of(const CLI::App& app);      // in the order they were added
std::vector<const CLI::Option*> options_of(const CLI::App& app);    // with a dash, in order
std::vector<const CLI::Option*> arguments_of(const CLI::App& app);  // positional, in order
std::string names_of(const CLI::Option& option);                    // "-b, --bundle"
std::string usage_of(const CLI::App& app);                          // "duet search [OPTIONS] QUERY..."
std::vector<Example> examples_of(const CLI::App& app);
std::string version();

enum class Completes { nothing, files, folders, choices };
Completes completes(const CLI::Option& option);
std::vector<std::string> choices_of(const CLI::Option& option);  // of a kind written a|b|c

}  // namespace duet
