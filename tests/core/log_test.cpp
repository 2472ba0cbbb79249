#include "core/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/progress.h"

namespace duet {
namespace {

// stderr is no terminal while it is captured: colours and bars stay away.
template <class Action>
std::string printed(Verbosity level, Action action) {
  const Verbosity before = verbosity();
  testing::internal::CaptureStderr();
  set_verbosity(level);
  action();
  set_verbosity(before);
  return testing::internal::GetCapturedStderr();
}

void say_everything() {
  log_debug("debug {}");
  log_info("info {0} %s");
  log_warning("careful");
  log_error("broken");
}

TEST(Log, LevelsFollowTheVerbosity) {
  EXPECT_EQ(printed(Verbosity::quiet, say_everything), "warning: careful\nerror: broken\n");
  EXPECT_EQ(printed(Verbosity::normal, say_everything), "info {0} %s\nwarning: careful\nerror: broken\n");
  EXPECT_EQ(printed(Verbosity::verbose, say_everything),
            "debug {}\ninfo {0} %s\nwarning: careful\nerror: broken\n");
}

TEST(Log, VerbosityReadsBack) {
  for (const Verbosity level : {Verbosity::quiet, Verbosity::verbose, Verbosity::normal}) {
    set_verbosity(level);
    EXPECT_EQ(verbosity(), level);
  }
}

TEST(Log, NoColourIntoAFile) {
  printed(Verbosity::normal, [] {
    EXPECT_FALSE(color_allowed());
    EXPECT_FALSE(status_line_allowed());
  });
}

TEST(Progress, OneLineAtTheEndElsewhere) {
  const std::string text = printed(Verbosity::normal, [] {
    Progress progress("reading", 2000, "pictures");
    for (int i = 1; i <= 2000; ++i) progress.update(i, "3 unreadable");
    progress.finish();
    progress.finish();
  });
  EXPECT_EQ(text.find("reading  100 %  2,000/2,000 pictures"), 0u) << text;
  EXPECT_NE(text.find("3 unreadable\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, NothingWhenQuiet) {
  EXPECT_EQ(printed(Verbosity::quiet, [] { Progress("reading", 2, "pictures").update(1); }), "");
}

TEST(Progress, TheDestructorFinishes) {
  const std::string text = printed(Verbosity::normal, [] { Progress("reading", 4, "rows").update(3); });
  EXPECT_EQ(text.find("reading  75 %  3/4 rows"), 0u) << text;
}

TEST(Progress, AnUnknownTotalShowsTheCount) {
  const std::string text = printed(Verbosity::normal, [] { Progress("reading", 0, "rows").update(1234); });
  EXPECT_EQ(text.find("reading  1,234 rows"), 0u) << text;
}

// A run resumed at 1,000,000 must not claim a million pairs in its first second.
TEST(Progress, RateLeavesOutWhatWasDoneBefore) {
  printed(Verbosity::quiet, [] {
    Progress progress("train", 2'000'000, "pairs", 1'000'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    progress.update(1'000'001);
    EXPECT_GT(progress.rate(), 0);
    EXPECT_LE(progress.rate(), 1 / 0.005);
  });
}

// 256 pictures of 266 in the first batch are no start from which ten more were slow.
TEST(Progress, TheFirstBatchCounts) {
  printed(Verbosity::quiet, [] {
    const auto start = std::chrono::steady_clock::now();
    Progress progress("embedding", 266, "pictures");
    progress.update(256);
    progress.update(266);
    const double rate = progress.rate();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    EXPECT_GE(rate * elapsed.count(), 266);
  });
}

}  // namespace
}  // namespace duet
