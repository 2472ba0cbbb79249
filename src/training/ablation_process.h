// A program of its own for each run of an ablation: the memory it used is gone with it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace duet {

struct Ended {
  int code = 0;  // its exit code, 128 + N when signal N ended it
  std::uint64_t peak_bytes =
      0;  // the most memory it held at once; at least what this process held at its start
};

// Runs words[0] with the rest as arguments to its end; what it prints goes to this process's standard error.
// A signal that SignalWatch notes is passed on, once; Ctrl-C on the terminal reaches it by that way alone. It
// does not outlive this process. Error(failed) when it cannot be started.
Ended run_program(const std::vector<std::string>& words);

// As one would type it into a shell.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace duet
