// The one try and catch of both programs.
#pragma once
#include <functional>

namespace duet {

// Writes out what stands in stdout's buffer before a program goes on; where that fails, guarded() says why.
void flush_output();

// Runs a program's body. duet::Error becomes one line on stderr and its exit code; anything else one line (all
// of it with -v) and Exit::failed. What stands in stdout's buffer is written out: a full disk is an error too.
int guarded(const std::function<int()>& body);

}  // namespace duet
