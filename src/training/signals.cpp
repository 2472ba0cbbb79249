#include "training/signals.h"

#include <unistd.h>

#include <cstring>

namespace duet {
namespace {

volatile std::sig_atomic_t g_received = 0;
const char* g_words = "";

void note_signal(int signal) { g_received = signal; }

void end_with_words(int signal) {
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, g_words, std::strlen(g_words));
  _exit(128 + signal);
}

// The second signal is the default action.
void handle(void (*handler)(int), struct sigaction& before_int, struct sigaction& before_term) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int);
  sigaction(SIGTERM, &action, &before_term);
}

void restore(const struct sigaction& before_int, const struct sigaction& before_term) {
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGTERM, &before_term, nullptr);
}

}  // namespace

SignalWatch::SignalWatch() {
  g_received = 0;
  handle(note_signal, before_int_, before_term_);
}

SignalWatch::~SignalWatch() { restore(before_int_, before_term_); }

int SignalWatch::received() { return g_received; }

EarlySignals::EarlySignals(const char* words) {
  g_words = words;
  handle(end_with_words, before_int_, before_term_);
}

EarlySignals::~EarlySignals() { restore(before_int_, before_term_); }

}  // namespace duet
