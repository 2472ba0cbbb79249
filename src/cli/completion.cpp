// Completion scripts for bash, zsh and fish, written from the tree of commands.
#include <functional>
#include <sstream>

#include "cli/grammar.h"
#include "core/format.h"

namespace duet {

namespace {

using Visit = std::function<void(const CLI::App&)>;

void for_each_command(const CLI::App& app, const Visit& visit) {
  visit(app);
  for (const CLI::App* command : commands_of(app)) for_each_command(*command, visit);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string quoted(const std::string& text) { return cat("'", replaced(text, "'", "'\\''"), "'"); }

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& name : option.get_snames()) flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

std::vector<std::string> all_flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : options_of(app)) {
    for (std::string& flag : flags_of(*option)) flags.push_back(std::move(flag));
  }
  return flags;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> command_lines(const CLI::App& root) {
  std::vector<std::string> lines;
  for_each_command(root, [&](const CLI::App& app) {
    if (app.get_parent() != nullptr) lines.push_back(command_line_of(app));
  });
  return lines;
}

// What bash does for a value: a call of _duet_reply, or nothing.
std::string bash_reply(const CLI::Option& option) {
  switch (completes(option)) {
    case Completes::files:
      return "_duet_reply -f";
    case Completes::folders:
      return "_duet_reply -d";
    case Completes::choices:
      return cat("_duet_reply -W ", quoted(joined(choices_of(option), " ")));
    case Completes::nothing:
      break;
  }
  return ":";
}

std::string bash_words(const CLI::App& app) {
  if (!commands_of(app).empty()) return cat("_duet_reply -W ", quoted(joined(command_names(app), " ")));
  const auto arguments = arguments_of(app);
  return arguments.empty() ? ":" : bash_reply(*arguments.front());
}

std::string bash_script(const CLI::App& root) {
  std::ostringstream out;
  out << "# bash completion for duet, written by: duet completion bash\n"
         "_duet_reply() {\n"
         "  if [[ $1 != -W ]]; then compopt -o filenames 2>/dev/null; fi\n"
         "  mapfile -t COMPREPLY < <(compgen \"$@\" -- \"$current\")\n"
         "}\n"
         "_duet() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=duet word\n"
         "  COMPREPLY=()\n"
         "  # --option=value arrives as three words\n"
         "  if [[ $current == = ]]; then current=\n"
         "  elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  fi\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$command $word\" in\n";
  for (const std::string& line : command_lines(root))
    out << "      " << quoted(line) << ") command=" << quoted(line) << " ;;\n";
  out << "    esac\n  done\n  case \"$command $before\" in\n";
  for_each_command(root, [&](const CLI::App& app) {
    for (const CLI::Option* option : options_of(app)) {
      if (option->get_expected_max() == 0) continue;
      for (const std::string& flag : flags_of(*option)) {
        out << "    " << quoted(cat(command_line_of(app), " ", flag)) << ") " << bash_reply(*option)
            << "; return ;;\n";
      }
    }
  });
  out << "  esac\n  case \"$command\" in\n";
  for_each_command(root, [&](const CLI::App& app) {
    out << "    " << quoted(command_line_of(app)) << ")\n      if [[ $current == -* ]]; then _duet_reply -W "
        << quoted(joined(all_flags(app), " ")) << "; else " << bash_words(app) << "; fi ;;\n";
  });
  out << "  esac\n}\ncomplete -F _duet duet\n";
  return out.str();
}

// Inside a zsh argument specification brackets and colons are syntax.
std::string zsh_text(std::string text) {
  for (const std::string_view c : {"\\", "[", "]", ":"}) text = replaced(std::move(text), c, cat("\\", c));
  return text;
}

std::string zsh_action(const CLI::Option& option) {
  switch (completes(option)) {
    case Completes::files:
      return "_files";
    case Completes::folders:
      return "_files -/";
    case Completes::choices:
      return cat("(", joined(choices_of(option), " "), ")");
    case Completes::nothing:
      break;
  }
  return " ";
}

std::string zsh_option(const CLI::Option& option) {
  const std::vector<std::string> flags = flags_of(option);
  const bool takes_value = option.get_expected_max() > 0;
  const bool repeats = option.get_expected_max() > 1;
  std::string tail = cat("[", zsh_text(option.get_description()), "]");
  if (takes_value) tail += cat(":", zsh_text(option.get_type_name()), ":", zsh_action(option));
  std::string out;
  for (const std::string& flag : flags) {
    const std::string others = repeats ? "*" : flags.size() > 1 ? cat("(", joined(flags, " "), ")") : "";
    const char* glue = !takes_value ? "" : flag.starts_with("--") ? "=" : "+";
    out += cat(" \\\n    ", quoted(cat(others, flag, glue, tail)));
  }
  return out;
}

std::string zsh_name(const CLI::App& app) { return cat("_", replaced(command_line_of(app), " ", "_")); }

void write_zsh_command(std::ostream& out, const CLI::App& app) {
  out << zsh_name(app) << "() {\n";
  const bool family = !commands_of(app).empty();
  if (family) out << "  local context state state_descr line\n  typeset -A opt_args\n";
  out << "  _arguments -s" << (family ? " -C" : " -S");
  for (const CLI::Option* option : options_of(app)) out << zsh_option(*option);
  std::size_t place = 1;
  for (const CLI::Option* argument : arguments_of(app)) {
    const std::string at = argument->get_expected_max() > 1 ? std::string("*") : cat(place++);
    out << " \\\n    " << quoted(cat(at, ":", argument->get_name(true), ":", zsh_action(*argument)));
  }
  if (!family) {
    out << "\n}\n";
    return;
  }
  out << " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n      local "
         "-a commands=(";
  for (const CLI::App* command : commands_of(app)) {
    out << "\n        " << quoted(cat(command->get_name(), ":", zsh_text(command->get_description())));
  }
  out << ")\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n";
  for (const CLI::App* command : commands_of(app))
    out << "        " << command->get_name() << ") " << zsh_name(*command) << " ;;\n";
  out << "      esac ;;\n  esac\n}\n";
}

std::string zsh_script(const CLI::App& root) {
  std::ostringstream out;
  out << "#compdef duet\n# zsh completion for duet, written by: duet completion zsh\n";
  for_each_command(root, [&](const CLI::App& app) { write_zsh_command(out, app); });
  // From $fpath the file itself is the function; sourced, it registers one.
  out << "if [[ $funcstack[1] == _duet ]]; then _duet \"$@\"; else compdef _duet duet; fi\n";
  return out.str();
}

std::string fish_quoted(const std::string& text) {
  return cat("'", replaced(replaced(text, "\\", "\\\\"), "'", "\\'"), "'");
}

std::string fish_value(const CLI::Option& option) {
  switch (completes(option)) {
    case Completes::files:
      return " -r -F";
    case Completes::folders:
      return " -x -a '(__fish_complete_directories)'";
    case Completes::choices:
      return cat(" -x -a ", fish_quoted(joined(choices_of(option), " ")));
    case Completes::nothing:
      break;
  }
  return " -x";
}

std::string fish_script(const CLI::App& root) {
  std::ostringstream out;
  out << "# fish completion for duet, written by: duet completion fish\n"
         "function __duet_at\n"
         "  set -l path duet\n"
         "  for word in (commandline -opc)[2..]\n"
         "    switch \"$path $word\"\n      case";
  for (const std::string& line : command_lines(root)) out << " " << fish_quoted(line);
  out << "\n        set path \"$path $word\"\n    end\n  end\n  test \"$path\" = \"$argv\"\nend\ncomplete -c "
         "duet -f\n";
  for_each_command(root, [&](const CLI::App& app) {
    const std::string at = cat("complete -c duet -n ", fish_quoted("__duet_at " + command_line_of(app)));
    for (const CLI::App* command : commands_of(app)) {
      out << at << " -a " << command->get_name() << " -d " << fish_quoted(command->get_description()) << "\n";
    }
    for (const CLI::Option* argument : arguments_of(app)) {
      if (completes(*argument) != Completes::nothing)
        out << at << replaced(fish_value(*argument), " -r", "") << "\n";
    }
    for (const CLI::Option* option : options_of(app)) {
      out << at;
      for (const std::string& name : option->get_snames()) out << " -s " << name;
      for (const std::string& name : option->get_lnames()) out << " -l " << name;
      if (option->get_expected_max() > 0) out << fish_value(*option);
      out << " -d " << fish_quoted(option->get_description()) << "\n";
    }
  });
  return out.str();
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_script(app);
  return shell == "zsh" ? zsh_script(app) : fish_script(app);
}

}  // namespace duet
