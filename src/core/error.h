// The one exception for what a user can cause, and the exit codes that `duet` documents.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace duet {

enum class Exit : int {
  ok = 0,
  failed = 1,        // the machine: disk full, out of memory, a bug
  usage = 2,         // command line or recipe
  data = 3,          // manifest, captions, pictures
  artifact = 4,      // checkpoint, bundle, tokenizer: damaged or of another model
  interrupted = 130  // Ctrl-C (SIGTERM: 143), state saved
};

class Error : public std::runtime_error {
 public:
  Error(Exit exit, const std::string& message) : std::runtime_error(message), exit_(exit) {}
  Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

// Throws Error("where: what; remedy"). `where` names the file, line, column or option; `remedy` says what is
// allowed or what to do. Either may be empty.
[[noreturn]] void fail(Exit exit, std::string_view where, std::string_view what, std::string_view remedy = {});

}  // namespace duet
