// Messages and the progress bar on a terminal: a child process writes into a pseudo-terminal, the test reads
// it.
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/progress.h"

namespace duet {
namespace {

// What `action` prints on a terminal of that width.
std::string shown_by(const std::function<void()>& action, unsigned short columns = 80) {
  winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    set_verbosity(Verbosity::normal);
    action();
    _exit(0);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  waitpid(child, nullptr, 0);
  close(terminal);
  return text;
}

// Long enough for the bar to be due again.
void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(120)); }

TEST(Terminal, MessagesAreColoured) {
  EXPECT_EQ(shown_by([] { log_error("broken"); }), "\x1b[31merror:\x1b[0m broken\r\n");
  EXPECT_EQ(shown_by([] { log_warning("careful"); }), "\x1b[33mwarning:\x1b[0m careful\r\n");
  EXPECT_EQ(shown_by([] { log_info("plain"); }), "plain\r\n");
}

TEST(Terminal, NoColorAndDumbTerminalsAreRespected) {
  EXPECT_EQ(shown_by([] {
              setenv("NO_COLOR", "1", 1);
              log_error("broken");
            }),
            "error: broken\r\n");
  EXPECT_EQ(shown_by([] {
              setenv("TERM", "dumb", 1);
              log_error("broken");
              Progress("reading", 2, "rows").update(2);
            }).find_first_of("\x1b"),
            std::string::npos);
}

TEST(Terminal, TheBarIsDrawnInPlaceAndStaysAtTheEnd) {
  const std::string text = shown_by([] {
    Progress progress("reading", 4, "rows");
    progress.update(1);
    pause();
    progress.update(2, "note");
    progress.update(4);
  });
  EXPECT_NE(text.find("\rreading  [===="), std::string::npos) << text;
  EXPECT_NE(text.find("]  50 %  2/4 rows"), std::string::npos) << text;
  EXPECT_NE(text.find("note\x1b[K"), std::string::npos) << text;
  EXPECT_NE(text.find("\x1b[Kreading  100 %  4/4 rows"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\n")) << text;
}

TEST(Terminal, FastUpdatesAreNotAllDrawn) {
  const std::string text = shown_by([] {
    Progress progress("reading", 100'000, "rows");
    for (int i = 0; i < 100'000; ++i) progress.update(i);
  });
  std::size_t draws = 0;
  for (std::size_t at = 0; (at = text.find("\rreading", at)) != std::string::npos; ++at) ++draws;
  EXPECT_LT(draws, 1000u);
}

TEST(Terminal, AMessageWipesTheBarAndBringsItBack) {
  const std::string text = shown_by([] {
    Progress progress("reading", 4, "rows");
    pause();
    progress.update(2);
    log_warning("careful");
  });
  const auto message = text.find("\r\x1b[K\x1b[33mwarning:\x1b[0m careful\r\n");
  ASSERT_NE(message, std::string::npos) << text;
  EXPECT_NE(text.find("\rreading  [====", message), std::string::npos) << text;
}

TEST(Terminal, TheBarNeverWraps) {
  const std::string text = shown_by(
      [] {
        Progress progress("rééading", 4, "rows");
        pause();
        progress.update(2, "a very long note behind it");
        _exit(0);  // without the last line, which may be long
      },
      20);
  const auto start = text.rfind('\r');
  ASSERT_NE(start, std::string::npos);
  const std::string line = text.substr(start + 1, text.find('\x1b', start) - start - 1);
  EXPECT_EQ(line, "rééading  50 %  2/4");  // no room for a bar
}

TEST(Terminal, QuietShowsNoBar) {
  EXPECT_EQ(shown_by([] {
              set_verbosity(Verbosity::quiet);
              Progress progress("reading", 4, "rows");
              pause();
              progress.update(2);
            }),
            "");
}

}  // namespace
}  // namespace duet
