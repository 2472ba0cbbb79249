// A progress bar on a terminal, a plain line now and then elsewhere, nothing with -q. Writes to stderr only.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace duet {

class Progress {
 public:
  // `unit` names what is counted, "pairs" say; the rate is printed in it. `before`: what was done before a run
  // was resumed, which is no part of the rate.
  Progress(std::string title, std::int64_t total, std::string unit, std::int64_t before = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Sets what is done so far; `note` ("loss 3.21") stands behind the rate and the time left.
  void update(std::int64_t done, std::string_view note = {});
  void finish();        // last state, newline; the destructor calls it
  double rate() const;  // units per second, over the last seconds

 private:
  void draw(bool last);

  std::string title_, unit_, note_;
  std::int64_t total_, done_, started_at_, window_done_;
  double rate_ = 0;
  std::chrono::steady_clock::time_point start_, window_start_, last_draw_;
  bool bar_, quiet_, finished_ = false;
};

}  // namespace duet
