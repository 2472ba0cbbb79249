#include "training/ablation_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/error.h"
#include "core/format.h"
#include "training/signals.h"

namespace duet {
namespace {

constexpr int kCannotStart = 127;

// Between fork and exec: system calls alone, as other threads may have held any lock.
[[noreturn]] void become(char* const* argv, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // training survives that: it goes on from its last checkpoint
  if (getppid() != parent) _exit(kCannotStart);
  if (const int nothing = open("/dev/null", O_RDONLY); nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  execv(argv[0], argv);
  _exit(kCannotStart);
}

bool is_plain(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
}

}  // namespace

Ended run_program(const std::vector<std::string>& words) {
  std::vector<std::string> kept = words;
  std::vector<char*> argv;
  for (std::string& word : kept) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid(), child = fork();
  if (child < 0) fail(Exit::failed, words.front(), cat("cannot be started: ", std::strerror(errno)));
  if (child == 0) become(argv.data(), parent);
  bool is_told = false;
  rusage usage{};
  for (int status = 0;;) {
    const pid_t ended = wait4(child, &status, WNOHANG, &usage);
    if (ended < 0 && errno != EINTR) fail(Exit::failed, words.front(), cat("is lost: ", std::strerror(errno)));
    if (ended == child) {
      const std::uint64_t peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
      if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), peak};
      if (WEXITSTATUS(status) == kCannotStart) fail(Exit::failed, words.front(), "cannot be started");
      return {WEXITSTATUS(status), peak};
    }
    if (SignalWatch::received() != 0 && !is_told) {
      kill(child, SignalWatch::received());
      is_told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string shell_line(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) {
    if (is_plain(word)) {
      quoted.push_back(word);
      continue;
    }
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    quoted.push_back(text + "'");
  }
  return joined(quoted, " ");
}

}  // namespace duet
