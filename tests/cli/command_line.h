// Parses a command line in this process and keeps what it printed.
#pragma once
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/options.h"

namespace duet {

struct Parsed {
  std::optional<Command> command;
  int exit_code = 0;
  std::string out, err;
};
Parsed parse_words(const std::vector<std::string>& words);  // without the program's name

// The options of a command line that must parse.
template <class Options>
Options parse_to(const std::vector<std::string>& words) {
  const Parsed parsed = parse_words(words);
  if (!parsed.command) throw std::runtime_error(parsed.err);
  return std::get<Options>(*parsed.command);
}

}  // namespace duet
