#include "datasets/in_order.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

namespace duet {
namespace {

constexpr int kWorkers[] = {0, 1, 2, 5};
constexpr int kAhead[] = {1, 2, 7};

TEST(InOrder, HandsOverInOrder) {
  for (const int workers : kWorkers)
    for (const int ahead : kAhead) {
      InOrder<std::unique_ptr<std::int64_t>> items(
          [](std::int64_t index, const std::atomic<bool>&) { return std::make_unique<std::int64_t>(index); }, 5,
          300, workers, ahead);
      for (std::int64_t i = 5; i < 300; ++i) ASSERT_EQ(*items.next(), i);
      EXPECT_THROW(items.next(), std::logic_error);
    }
}

TEST(InOrder, AnErrorWaitsForItsTurn) {
  for (const int workers : kWorkers)
    for (const int ahead : kAhead) {
      InOrder<std::int64_t> items(
          [](std::int64_t index, const std::atomic<bool>&) {
            if (index == 31) throw std::runtime_error("bad luck");
            return index;
          },
          0, 1000, workers, ahead);
      for (std::int64_t i = 0; i < 31; ++i) ASSERT_EQ(items.next(), i);
      for (int again = 0; again < 2; ++again) EXPECT_THROW(items.next(), std::runtime_error);
    }
}

TEST(InOrder, StopsItemsThatNobodyWaitsFor) {
  for (const int workers : {1, 2, 5})
    InOrder<int>(
        [](std::int64_t, const std::atomic<bool>& stop) -> int {
          while (!stop) std::this_thread::yield();
          throw Stopped();
        },
        0, 1000, workers, 2);
}

}  // namespace
}  // namespace duet
