#include "cli/guard.h"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>
#include <string_view>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

namespace {

int why_not_printed = 0;  // errno of the first time

int failed(std::string_view message) {
  log_error(message);
  return static_cast<int>(Exit::failed);
}

// LibTorch puts a back trace behind its first line.
std::string_view told(std::string_view what) {
  return verbosity() == Verbosity::verbose ? what : what.substr(0, what.find('\n'));
}

}  // namespace

void flush_output() {
  if (!std::cout) return;
  errno = 0;
  std::cout.flush();
  if (!std::cout) why_not_printed = errno;
}

int guarded(const std::function<int()>& body) {
  try {
    const int exit_code = body();
    flush_output();
    if (!std::cout)
      fail(Exit::failed, "standard output",
           cat("cannot write: ", std::strerror(why_not_printed != 0 ? why_not_printed : EIO)));
    return exit_code;
  } catch (const Error& error) {
    log_error(error.what());
    return static_cast<int>(error.exit());
  } catch (const std::bad_alloc&) {
    return failed("out of memory; a smaller batch or fewer threads need less");
  } catch (const std::exception& error) {
    return failed(told(error.what()));
  }
}

}  // namespace duet
