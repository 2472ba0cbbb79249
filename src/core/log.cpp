#include "core/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace duet {
namespace {

// Messages and the status line share the terminal: a message wipes the line, prints, and draws it again.
struct Output {
  Output() {
    logger.set_pattern("%v");
    logger.set_level(spdlog::level::info);
    logger.flush_on(spdlog::level::trace);
  }
  std::mutex mutex;
  spdlog::logger logger{"duet", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  std::string status;
};

Output& output() {
  static Output instance;
  return instance;
}

void write_raw(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void draw_status(const std::string& status) {
  write_raw("\r" + status + "\x1b[K");
  std::fflush(stderr);
}

void print(spdlog::level::level_enum level, std::string_view color, std::string_view title,
           std::string_view message) {
  std::string text;
  if (!title.empty()) {
    text = color_allowed() ? std::string(color) + std::string(title) + "\x1b[0m " : std::string(title) + " ";
  }
  text += message;
  Output& out = output();
  const std::lock_guard guard(out.mutex);
  const bool wiped = !out.status.empty() && out.logger.should_log(level);
  if (wiped) write_raw("\r\x1b[K");
  out.logger.log(level, spdlog::string_view_t(text));
  if (wiped) draw_status(out.status);
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

bool terminal_is_dumb() {
  const char* kind = std::getenv("TERM");
  return kind && std::string_view(kind) == "dumb";
}

}  // namespace

void set_verbosity(Verbosity verbosity) {
  const auto level = verbosity == Verbosity::quiet    ? spdlog::level::warn
                     : verbosity == Verbosity::normal ? spdlog::level::info
                                                      : spdlog::level::debug;
  output().logger.set_level(level);
}

Verbosity verbosity() {
  const auto level = output().logger.level();
  if (level >= spdlog::level::warn) return Verbosity::quiet;
  return level == spdlog::level::info ? Verbosity::normal : Verbosity::verbose;
}

bool stderr_is_terminal() { return isatty(STDERR_FILENO) != 0; }

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

bool color_allowed() { return stderr_is_terminal() && !is_set("NO_COLOR") && !terminal_is_dumb(); }

bool status_line_allowed() {
  return stderr_is_terminal() && !terminal_is_dumb() && verbosity() != Verbosity::quiet;
}

void set_status_line(std::string_view line) {
  Output& out = output();
  const std::lock_guard guard(out.mutex);
  out.status = line;
  draw_status(out.status);
}

void log_debug(std::string_view message) { print(spdlog::level::debug, "", "", message); }

void log_info(std::string_view message) { print(spdlog::level::info, "", "", message); }

void log_warning(std::string_view message) { print(spdlog::level::warn, "\x1b[33m", "warning:", message); }

void log_error(std::string_view message) { print(spdlog::level::err, "\x1b[31m", "error:", message); }

}  // namespace duet
