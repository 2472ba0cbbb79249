#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

using std::chrono::steady_clock;

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10;
constexpr double kWindowSeconds = 3;

double seconds_between(steady_clock::time_point from, steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

// UTF-8 characters, counted as one cell each.
std::size_t cells_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

// Cut between characters so that the line never wraps.
std::string cut_to(const std::string& line, std::size_t cells) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (starts_character(line[i]) && ++used > cells) return line.substr(0, i);
  }
  return line;
}

// As wide as the line leaves room for; on a narrow terminal the numbers matter more.
std::string bar_of(double share, std::size_t cells, std::size_t taken) {
  constexpr std::size_t kWidest = 24, kNarrowest = 6, kFrame = 4;
  const std::size_t width = std::min(cells > taken + kFrame ? cells - taken - kFrame : 0, kWidest);
  if (width < kNarrowest) return "";
  const auto filled = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  return cat("[", std::string(filled, '='), std::string(width - filled, ' '), "]  ");
}

}  // namespace

Progress::Progress(std::string title, std::int64_t total, std::string unit, std::int64_t before)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      done_(before),
      started_at_(before),
      window_done_(before),
      start_(steady_clock::now()),
      window_start_(start_),
      last_draw_(start_),
      bar_(status_line_allowed()),
      quiet_(verbosity() == Verbosity::quiet) {}

Progress::~Progress() {
  try {
    finish();
  } catch (...) {  // a line less on stderr is no reason to end the program
  }
}

void Progress::update(std::int64_t done, std::string_view note) {
  const auto now = steady_clock::now();
  done_ = done;
  note_ = note;
  if (const double elapsed = seconds_between(window_start_, now); elapsed >= kWindowSeconds) {
    rate_ = static_cast<double>(done - window_done_) / elapsed;
    window_start_ = now;
    window_done_ = done;
  }
  if (quiet_ || finished_) return;
  if (seconds_between(last_draw_, now) < (bar_ ? kRedrawSeconds : kLineSeconds)) return;
  last_draw_ = now;
  draw(false);
}

double Progress::rate() const {
  if (rate_ > 0) return rate_;
  const double elapsed = seconds_between(window_start_, steady_clock::now());
  return elapsed > 0 ? static_cast<double>(done_ - window_done_) / elapsed : 0;
}

void Progress::finish() {
  if (std::exchange(finished_, true) || quiet_) return;
  draw(true);
}

// "train  [=====>      ]  45 %  2,250/5,000 steps  12.5 steps/s  3 min 40 s left  loss 3.21"
void Progress::draw(bool last) {
  const double elapsed = seconds_between(start_, steady_clock::now());
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 0;
  std::string facts = total_ > 0 ? cat(std::clamp(static_cast<int>(share * 100), 0, 100), " %  ",
                                       grouped(done_), "/", grouped(total_), " ", unit_)
                                 : cat(grouped(done_), " ", unit_);
  double per_second = rate();
  if (last && elapsed > 0) per_second = static_cast<double>(done_ - started_at_) / elapsed;
  if (per_second > 0) {
    facts +=
        cat("  ", per_second < 99.95 ? fixed(per_second, 1) : grouped(static_cast<std::int64_t>(per_second)),
            " ", unit_, "/s");
    if (!last && done_ < total_) {
      facts += cat("  ", human_seconds(static_cast<double>(total_ - done_) / per_second), " left");
    }
  }
  if (last) facts += cat("  in ", human_seconds(elapsed));
  if (!note_.empty()) facts += "  " + note_;
  if (bar_ && last) set_status_line("");  // the bar becomes an ordinary line that stays
  if (!bar_ || last) {
    log_info(cat(title_, "  ", facts));
  } else {
    const std::size_t cells = terminal_columns() - 1;
    const std::string bar = total_ > 0 ? bar_of(share, cells, cells_of(title_) + cells_of(facts) + 2) : "";
    set_status_line(cut_to(cat(title_, "  ", bar, facts), cells));
  }
}

}  // namespace duet
