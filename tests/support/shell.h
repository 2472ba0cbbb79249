// Runs a shell command as a test's user would.
#pragma once
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "core/format.h"

namespace duet {

struct ShellResult {
  int exit_code = 0;
  std::string output;  // stdout and stderr together
};

inline ShellResult shell(const std::string& command) {
  ShellResult result;
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  char buffer[4096];
  for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, got);
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

// For paths without an apostrophe.
inline std::string quoted(const std::filesystem::path& path) { return cat("'", path.string(), "'"); }

}  // namespace duet
