#include "training/signals.h"

namespace duet {
namespace {

volatile std::sig_atomic_t g_received = 0;

void note_signal(int signal) { g_received = signal; }

}  // namespace

SignalWatch::SignalWatch() {
  g_received = 0;
  struct sigaction action = {};
  action.sa_handler = note_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // the second one is the default action
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

SignalWatch::~SignalWatch() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

int SignalWatch::received() { return g_received; }

}  // namespace duet
