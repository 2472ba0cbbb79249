// No log lines while it lives: what comes after it logs as before.
#pragma once
#include "core/log.h"

namespace duet {

class Quiet {
 public:
  Quiet() { set_verbosity(Verbosity::quiet); }
  ~Quiet() { set_verbosity(before_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  Verbosity before_ = verbosity();
};

}  // namespace duet
