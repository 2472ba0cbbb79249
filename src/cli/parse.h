// The command line, for both programs: parsed once here with CLI11, which no other folder sees.
#pragma once
#include <optional>

#include "cli/options.h"

namespace duet {

// Nothing when all is said: --help, --version, completion and man pages print and give an exit code in
// `exit_code`. Usage errors print one message with a suggestion on stderr and give Exit::usage.
std::optional<Command> parse(int argc, char** argv, int& exit_code);

}  // namespace duet
