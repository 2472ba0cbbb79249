// MoCo's queue: what it holds, whose negatives they are, which sizes there are.
#include "losses/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

torch::Tensor ids(std::vector<std::int64_t> values) { return torch::tensor(values, torch::kLong); }

// Two keys of one number, which is their picture's id.
void push(KeyQueue& queue, std::int64_t first) {
  const auto pictures = ids({first, first + 1});
  queue.push(pictures.to(torch::kFloat).unsqueeze(1), pictures);
}

std::vector<bool> negatives(const KeyQueue& queue, std::int64_t id) {
  const auto row = queue.negatives_of(ids({id}))[0];
  std::vector<bool> marked;
  for (std::int64_t i = 0; i < row.size(0); ++i) marked.push_back(row[i].item<bool>());
  return marked;
}

TEST(KeyQueue, OverwritesTheOldestKeys) {
  KeyQueue queue(6, 1);
  for (const std::int64_t first : {10, 20, 30}) push(queue, first);
  EXPECT_TRUE(torch::equal(queue.keys().squeeze(1), torch::tensor({10.F, 11.F, 20.F, 21.F, 30.F, 31.F})));
  push(queue, 40);
  EXPECT_TRUE(torch::equal(queue.keys().squeeze(1), torch::tensor({40.F, 41.F, 20.F, 21.F, 30.F, 31.F})));
  push(queue, 50);
  EXPECT_TRUE(torch::equal(queue.keys().squeeze(1), torch::tensor({40.F, 41.F, 50.F, 51.F, 30.F, 31.F})));
}

TEST(KeyQueue, NegativesAreThereAndOfAnotherPicture) {
  KeyQueue queue(4, 1);
  EXPECT_EQ(negatives(queue, 0), (std::vector{false, false, false, false}));
  push(queue, 10);
  EXPECT_EQ(negatives(queue, 5), (std::vector{true, true, false, false}));
  EXPECT_EQ(negatives(queue, 11), (std::vector{true, false, false, false}));
  EXPECT_EQ(negatives(queue, 0), (std::vector{true, true, false, false}));  // 0 is an id as any other
  push(queue, 20);
  push(queue, 30);
  EXPECT_EQ(negatives(queue, 10), (std::vector{true, true, true, true}));
  EXPECT_EQ(negatives(queue, 31), (std::vector{true, false, true, true}));
}

TEST(KeyQueue, ComesBackFromItsBuffersAsItWas) {
  KeyQueue queue(6, 1), other(6, 1);
  push(queue, 10);
  push(queue, 20);
  copy_into(tensors_of(other), tensors_of(queue), "queue");
  push(queue, 30);
  push(other, 30);
  EXPECT_TRUE(torch::equal(queue.keys(), other.keys()));
  EXPECT_EQ(negatives(queue, 20), negatives(other, 20));
  EXPECT_TRUE(queue.parameters().empty());
}

TEST(KeyQueue, HoldsNoMoreThanItsSize) {
  KeyQueue queue(1, 1);
  EXPECT_THROW(push(queue, 10), c10::Error);
}

TEST(QueueSize, IsAMultipleOfTheBatch) {
  const auto said = [](std::int64_t size, std::int64_t batch) -> std::string {
    try {
      check_queue_size(size, batch, "r.toml:3:1");
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::usage);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(said(64, 16), "");
  EXPECT_EQ(said(16, 16), "");
  EXPECT_THAT(said(100, 16), AllOf(HasSubstr("r.toml:3:1"), HasSubstr("queue of 100 keys"),
                                   HasSubstr("batch of 16"), HasSubstr("queue = 96 or 112")));
  EXPECT_THAT(said(10, 16), HasSubstr("queue = 16"));
}

}  // namespace
}  // namespace duet
