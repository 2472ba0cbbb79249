#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/format.h"
#include "core/log.h"
#include "report/html.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

std::size_t terminal_columns() {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) return window.ws_col;
  if (const char* columns = std::getenv("COLUMNS")) {
    const long value = std::strtol(columns, nullptr, 10);
    if (value > 0 && value < 10000) return static_cast<std::size_t>(value);
  }
  return 80;
}

bool terminal_styles() {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  return stdout_is_terminal() && term != nullptr && *term != '\0' && std::string_view(term) != "dumb" &&
         (no_color == nullptr || *no_color == '\0');
}

std::string bold(std::string_view text, bool on) {
  return on ? cat("\x1b[1m", text, "\x1b[0m") : std::string(text);
}

std::string file_link(std::string_view text, std::string_view absolute_path, bool on) {
  if (!on) return std::string(text);
  return cat("\x1b]8;;file://", host_name(), url_of_path(absolute_path), "\x1b\\", text, "\x1b]8;;\x1b\\");
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t good = invalid_utf8(text).value_or(text.size());
    for (std::size_t i = 0; i < good; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const bool c1 = byte == 0xC2 && i + 1 < good && static_cast<unsigned char>(text[i + 1]) < 0xA0;
      if (c1) ++i;  // two bytes of UTF-8
      out += c1 || byte < 0x20 || byte == 0x7F ? ' ' : text[i];
    }
    if (good == text.size()) break;
    out += "\xEF\xBF\xBD";
    text.remove_prefix(good + 1);
  }
  return out;
}

std::string clipped_left(std::string_view text, std::size_t cells) {
  if (display_width(text) <= cells) return std::string(text);
  if (cells == 0) return {};
  const auto drop_character = [&] {
    do text.remove_prefix(1);
    while (!text.empty() && is_continuation(text.front()));
  };
  while (!text.empty() && display_width(text) > cells - 1) drop_character();
  return std::string(kEllipsis).append(text);
}

std::string padded(std::string_view text, std::size_t cells) {
  const std::size_t width = display_width(text);
  return std::string(text) + std::string(width < cells ? cells - width : 0, ' ');
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const std::size_t width = display_width(word);
    if (used > indent && used + 1 + width > columns) {
      out += cat("\n", std::string(indent, ' '));
      used = indent;
    }
    if (used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

}  // namespace duet
