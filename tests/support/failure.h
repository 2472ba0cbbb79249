// What a test wants to know of an Error: its exit code and its text.
#pragma once
#include <functional>
#include <string>

#include "core/error.h"

namespace duet {

struct Failure {
  Exit exit = Exit::ok;  // ok: nothing was thrown
  std::string text;
};

inline Failure failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.exit(), error.what()};
  }
  return {};
}

}  // namespace duet
