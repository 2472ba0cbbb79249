// bin/duet, the front: it parses every command line, prints help, answers text queries, and becomes the engine
// for the rest.
#include "cli/front.h"
#include "cli/guard.h"
#include "cli/launch.h"
#include "cli/parse.h"

int main(int argc, char** argv) {
  return duet::guarded([&] {
    int exit_code = 0;
    const std::optional<duet::Command> command = duet::parse(argc, argv, exit_code);
    if (!command) return exit_code;
    if (const std::optional<int> done = duet::run_without_engine(*command)) return *done;
    duet::become_engine(argv);
  });
}
