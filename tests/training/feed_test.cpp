#include "training/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

std::vector<std::size_t> sources_of(const std::vector<Turn>& turns) {
  std::vector<std::size_t> sources;
  for (const Turn& turn : turns) sources.push_back(turn.source);
  return sources;
}

const auto kAlways = [](std::size_t, std::int64_t) { return true; };

TEST(TakeTurns, SharesAreKeptAsEvenlyAsTheyAllow) {
  EXPECT_THAT(sources_of(take_turns({0.5, 0.5}, 6, kAlways)), testing::ElementsAre(0, 1, 0, 1, 0, 1));
  const auto turns = take_turns({0.7, 0.2, 0.1}, 1000, kAlways);
  std::vector<std::int64_t> taken(3);
  for (std::size_t step = 0; step < turns.size(); ++step) {
    EXPECT_EQ(turns[step].step, taken[turns[step].source]) << step;
    ++taken[turns[step].source];
    const auto done = static_cast<double>(step + 1);
    EXPECT_NEAR(static_cast<double>(taken[0]), 0.7 * done, 1.01) << step;
    EXPECT_NEAR(static_cast<double>(taken[2]), 0.1 * done, 1.01) << step;
  }
  EXPECT_THAT(taken, testing::ElementsAre(700, 200, 100));
}

TEST(TakeTurns, ASourceThatIsNotWantedWaits) {
  const auto late = [](std::size_t source, std::int64_t step) { return source == 0 ? step < 8 : step >= 4; };
  EXPECT_THAT(sources_of(take_turns({0.5, 0.5}, 10, late)), testing::ElementsAre(0, 0, 0, 0, 0, 1, 0, 1, 1, 1));
  EXPECT_ANY_THROW(take_turns({1}, 2, [](std::size_t, std::int64_t step) { return step == 0; }));
}

}  // namespace
}  // namespace duet
