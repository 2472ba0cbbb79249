#include "cli/grammar.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/error.h"
#include "core/format.h"

namespace duet {

namespace {

std::string not_empty(const std::string& text) { return text.empty() ? "must not be empty" : ""; }

template <class Integer>
std::string in_range(const std::string& text, Integer low, Integer high) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error != std::errc::invalid_argument && end == text.data() + text.size();
  if (whole && error == std::errc() && value >= low && value <= high) return {};
  return cat("'", text, whole ? "' is out of range" : "' is no whole number", "; ", grouped(low), " to ",
             grouped(high), " allowed");
}

std::string share(const std::string& text) {
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1) return {};
  return cat("'", text, "' is no share; 0 to 1 allowed");
}

std::string one_of(const std::string& text, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  return cat("'", text, "' is none of ", joined(choices));
}

void add_common(CLI::App& app, Grammar& grammar) {
  app.add_flag("-q,--quiet", grammar.quiet, "print results, warnings and errors only")->group("Common options");
  app.add_flag("-v,--verbose", grammar.verbose,
               "say more: which bundle, which engine, where an error came from")
      ->group("Common options");
  app.get_help_ptr()->group("Common options");
}

template <class Integer>
CLI::Option* add_ranged(CLI::App& app, const std::string& names, Integer& value, Integer low, Integer high,
                        const std::string& meaning) {
  CLI::Option* option = app.add_option(names, value, meaning);
  option->type_name("N")->capture_default_str()->take_last();
  option->check([low, high](const std::string& text) { return in_range(text, low, high); });
  return option;
}

}  // namespace

std::string version() { return DUET_VERSION; }

Grammar::Grammar()
    : app("trains image-text models on your own pictures, and searches pictures by text", "duet") {
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(0, 1);  // at most one: a query may be a command's name
  add_common(app, *this);
  app.add_flag("-V,--version", show_version, "print the version")->group("Common options");
  app.footer(
      "train on a recipe, watch the scores\tduet train configs/shapes.toml\n"
      "search your own pictures by text\tduet search \"a red heart\"\n"
      "all about one command\tduet help train\n");
  add_train(*this);
  add_evaluate(*this);
  add_index(*this);
  add_search(*this);
  add_embed(*this);
  add_classify(*this);
  add_check(*this);
  add_ablate(*this);
  add_fewshot(*this);
  add_look(*this);
  add_data(*this);
  add_tokenizer(*this);
}

CLI::App& add_family(CLI::App& parent, Grammar& grammar, const std::string& name, const std::string& group,
                     const std::string& purpose) {
  CLI::App& app = *parent.add_subcommand(name, purpose);
  app.group(group)->require_subcommand(0, 1);
  add_common(app, grammar);
  return app;
}

CLI::App& add_command(CLI::App& parent, Grammar& grammar, const std::string& name, const std::string& group,
                      const std::string& purpose, const std::vector<Example>& examples) {
  CLI::App& app = *parent.add_subcommand(name, purpose);
  app.group(group);
  std::string footer;
  for (const Example& example : examples) footer += cat(example.meaning, "\t", example.line, "\n");
  app.footer(footer);
  add_common(app, grammar);
  return app;
}

CLI::Option* add_value(CLI::App& app, const std::string& names, std::string& value, const std::string& kind,
                       const std::string& meaning) {
  CLI::Option* option = app.add_option(names, value, meaning);
  option->type_name(kind)->take_last()->check(not_empty);
  if (!value.empty()) option->default_str(value);
  return option;
}

CLI::Option* add_choice(CLI::App& app, const std::string& names, std::string& value,
                        const std::vector<std::string>& choices, const std::string& meaning) {
  CLI::Option* option = app.add_option(names, value, meaning);
  option->type_name(joined(choices, "|"))->take_last()->default_str(value);
  option->check([choices](const std::string& text) { return one_of(text, choices); });
  return option;
}

CLI::Option* add_integer(CLI::App& app, const std::string& names, std::int64_t& value, std::int64_t low,
                         std::int64_t high, const std::string& meaning) {
  return add_ranged(app, names, value, low, high, meaning);
}

CLI::Option* add_integer(CLI::App& app, const std::string& names, int& value, int low, int high,
                         const std::string& meaning) {
  return add_ranged(app, names, value, low, high, meaning);
}

CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                      const std::string& kind, const std::string& meaning) {
  // One value a flag: `--data a.tsv RUN` must not take the run for a second manifest.
  return app.add_option(names, values, meaning)->type_name(kind)->allow_extra_args(false)->check(not_empty);
}

void add_switch(CLI::App& app, const std::string& names, bool& value, const std::string& meaning) {
  app.add_flag_callback(
         names, [&value] { value = true; }, meaning)
      ->disable_flag_override();
}

void add_switch_off(CLI::App& app, const std::string& names, bool& value, const std::string& meaning) {
  app.add_flag_callback(
         names, [&value] { value = false; }, meaning)
      ->disable_flag_override();
}

void add_root(CLI::App& app, std::string& root) {
  add_value(app, "--root", root, "DIR",
            "where relative picture paths start (default: the folder of the manifest)");
}

void add_device(CLI::App& app, std::string& device) {
  add_choice(app, "--device", device, {"auto", "cpu", "cuda"},
             "where to compute; auto: CUDA where there is one");
}

void add_checkpoint(CLI::App& app, std::string& checkpoint) {
  add_value(app, "--checkpoint", checkpoint, "best|last|step-N", "which state of the run")
      ->check([](const std::string& text) -> std::string {
        const std::string_view step = std::string_view(text).substr(std::min<std::size_t>(5, text.size()));
        const bool numbered = text.starts_with("step-") && !step.empty() &&
                              step.find_first_not_of("0123456789") == std::string_view::npos;
        if (numbered || text == "best" || text == "last") return {};
        return cat("'", text, "' is none of best, last, step-N (step-1200, say)");
      });
}

void add_batch(CLI::App& app, int& batch) {
  add_integer(app, "--batch", batch, 1, 65536, "pictures or texts computed at a time");
}

void add_max_bad_fraction(CLI::App& app, double& fraction) {
  const std::string standard = fraction < 0 ? "the recipe's data.max_bad_fraction" : fixed(fraction, 1);
  app.add_option("--max-bad-fraction", fraction,
                 cat("fail when more than this share of the pictures cannot be read (default: ", standard, ")"))
      ->type_name("SHARE")
      ->take_last()
      ->check([](const std::string& text) { return share(text); });
}

void add_threads(CLI::App& app, int& threads, const std::string& what) {
  add_integer(app, "--threads", threads, 0, 1024, cat(what, "; 0: one a core"));
}

void add_sets(CLI::App& app, std::vector<std::string>& sets) {
  add_list(app, "--set", sets, "KEY=VALUE", "change one value of the recipe (repeatable): --set train.lr=1e-4")
      ->check([](const std::string& text) -> std::string {
        const std::size_t equals = text.find('=');
        if (equals != std::string::npos && equals > 0) return {};
        return cat("'", text, "' has no KEY=VALUE; write, say, --set train.lr=1e-4");
      });
}

void add_labels(CLI::App& app, LabelOptions& labels) {
  add_value(app, "--label-column", labels.label_column, "COLUMN",
            "the classes' column (default: label, class or category; of a folder its first folders)");
  app.add_option(
         "--concept-column", labels.concept_column,
         "what pictures of one thing share: it never stands on both sides of a split; \"\": nothing (default: "
         "concept, where there is such a column)")
      ->type_name("COLUMN")
      ->take_last()
      ->each([&labels](const std::string&) { labels.concept_given = true; });
  add_switch(app, "--texts", labels.texts, "classify texts, through the caption tower");
  add_value(app, "--text-column", labels.text_column, "COLUMN",
            "the texts' column (default: text, sentence or caption)");
  add_value(app, "--second-column", labels.second_column, "COLUMN",
            "of pairs of texts: the second one's column");
  add_value(app, "--separator", labels.separator, "TEXT",
            "what stands between several labels of one item (default: one label each)");
}

void check_labels(const CLI::App& app, const LabelOptions& labels) {
  const bool columns = !labels.text_column.empty() || !labels.second_column.empty();
  if (!columns || labels.texts) return;
  fail(Exit::usage, command_line_of(app), "--text-column and --second-column are for texts",
       "add --texts, or leave them out to classify pictures");
}

void require_one_of(const CLI::App& app, const std::vector<CLI::Option*>& options) {
  std::vector<std::string> names, given;
  for (const CLI::Option* option : options) {
    names.push_back(option->get_name());
    if (option->count() > 0) given.push_back(option->get_name());
  }
  if (given.size() == 1) return;
  const std::string where = command_line_of(app), remedy = cat("give exactly one of ", joined(names));
  if (given.empty()) fail(Exit::usage, where, "there is nothing to work on", remedy);
  fail(Exit::usage, where, cat(joined(given, " and "), " exclude each other"), remedy);
}

std::string command_line_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : cat(command_line_of(*app.get_parent()), " ", app.get_name());
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  // The help flag is CLI11's first; people look for it last.
  std::vector<const CLI::Option*> options =
      app.get_options([](const CLI::Option* o) { return !o->get_positional(); });
  std::stable_partition(options.begin(), options.end(),
                        [](const CLI::Option* o) { return o->get_group() == "Options"; });
  return options;
}

std::vector<const CLI::Option*> arguments_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* o) { return o->get_positional(); });
}

std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return joined(names);
}

std::string usage_of(const CLI::App& app) {
  std::string usage = command_line_of(app);
  if (!commands_of(app).empty()) return usage + " COMMAND [OPTIONS]";
  for (const CLI::Option* argument : arguments_of(app)) {
    const std::string name = argument->get_name(true) + (argument->get_expected_max() > 1 ? "..." : "");
    usage += argument->get_required() ? " " + name : " [" + name + "]";
  }
  for (const CLI::Option* option : options_of(app)) {
    if (option->get_required()) usage += cat(" ", option->get_name(), " ", option->get_type_name());
  }
  return usage + " [OPTIONS]";
}

std::vector<Example> examples_of(const CLI::App& app) {
  std::vector<Example> examples;
  std::istringstream lines(app.get_footer());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) examples.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return examples;
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  std::vector<std::string> choices;
  std::istringstream words(option.get_type_name());
  for (std::string word; std::getline(words, word, '|');) {
    if (word != "step-N") choices.push_back(word);  // a pattern, not a word
  }
  return choices;
}

Completes completes(const CLI::Option& option) {
  const std::string kind = option.get_type_name();
  if (option.get_expected_max() == 0) return Completes::nothing;
  if (kind.find('|') != std::string::npos) return Completes::choices;
  if (kind == "DIR" || kind == "RUN" || kind == "BUNDLE") return Completes::folders;
  for (const std::string_view file : {"FILE", "PATH", "RECIPE", "MODEL"}) {
    if (kind.ends_with(file)) return Completes::files;
  }
  return Completes::nothing;
}

}  // namespace duet
