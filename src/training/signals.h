// Ctrl-C and SIGTERM: before training begins they end the program with a word, from then on they are a flag
// that the training loop reads between steps; a second signal ends the program at once.
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

// While it lives, a signal prints `words` on stderr and ends the process with exit code 130 or 143.
class EarlySignals {
 public:
  explicit EarlySignals(const char* words);
  ~EarlySignals();
  EarlySignals(const EarlySignals&) = delete;
  EarlySignals& operator=(const EarlySignals&) = delete;

 private:
  struct sigaction before_int_, before_term_;
};

}  // namespace duet
