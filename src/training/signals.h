// Ctrl-C and SIGTERM as a flag that the training loop reads between steps; a second signal ends the program at
// once.
#pragma once
#include <csignal>

namespace duet {

class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  static int received();  // 0, SIGINT or SIGTERM

 private:
  struct sigaction before_int_, before_term_;
};

}  // namespace duet
