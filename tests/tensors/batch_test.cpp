#include "tensors/batch.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

// Picture c of row b is filled with 10 c + b.
Batch make_batch(std::int64_t rows, std::int64_t copies) {
  Batch batch;
  batch.source = "pairs";
  const auto fill = [&](std::int64_t count) {
    torch::Tensor images = torch::zeros({count * rows, 3, 2, 2}, torch::kUInt8);
    for (std::int64_t copy = 0; copy < count; ++copy) {
      for (std::int64_t row = 0; row < rows; ++row) images[copy * rows + row].fill_(10 * copy + row);
    }
    return images.contiguous(torch::MemoryFormat::ChannelsLast);
  };
  batch.views = {{"image", fill(1)}, {"crops", fill(copies)}};
  batch.tokens = torch::arange(rows * 4).reshape({rows, 4});
  batch.valid = torch::ones({rows, 4}, torch::kBool);
  batch.image_id = torch::arange(rows);
  batch.caption_id = torch::arange(rows) + 100;
  batch.concept_id = torch::arange(rows) + 200;
  for (std::int64_t row = 0; row < rows; ++row) batch.rows.push_back(row + 1000);
  return batch;
}

TEST(Batch, SliceTakesItsRowsFromEveryCopy) {
  const Batch part = make_batch(5, 3).slice(1, 3);
  EXPECT_EQ(part.size(), 2);
  EXPECT_EQ(part.rows, (std::vector<std::int64_t>{1001, 1002}));
  EXPECT_EQ(part.source, "pairs");
  const torch::Tensor values = part.views.at("crops").select(1, 0).select(1, 0).select(1, 0);
  EXPECT_TRUE(values.equal(torch::tensor({1, 2, 11, 12, 21, 22}, torch::kUInt8)));
  EXPECT_EQ(part.views.at("image").size(0), 2);
  EXPECT_TRUE(part.tokens.equal(torch::arange(4, 12).reshape({2, 4})));
  EXPECT_TRUE(part.caption_id.equal(torch::tensor({101, 102}, torch::kInt64)));
}

TEST(Batch, SliceKeepsTheMemoryFormat) {
  const Batch part = make_batch(5, 3).slice(1, 4);
  for (const auto& [name, images] : part.views)
    EXPECT_TRUE(images.is_contiguous(torch::MemoryFormat::ChannelsLast)) << name;
}

TEST(Batch, SlicesTogetherGiveTheWhole) {
  const Batch batch = make_batch(5, 2);
  const Batch a = batch.slice(0, 2), b = batch.slice(2, 5);
  const auto copy = [](const Batch& part, std::int64_t index) {
    return part.views.at("crops").slice(0, index * part.size(), (index + 1) * part.size());
  };
  for (std::int64_t index = 0; index < 2; ++index) {
    EXPECT_TRUE(torch::cat({copy(a, index), copy(b, index)}).equal(copy(batch, index)));
  }
  EXPECT_TRUE(torch::cat({a.tokens, b.tokens}).equal(batch.tokens));
}

TEST(Batch, WholeAndEmptySlices) {
  const Batch batch = make_batch(3, 2);
  EXPECT_TRUE(batch.slice(0, 3).views.at("crops").equal(batch.views.at("crops")));
  EXPECT_EQ(batch.slice(1, 1).size(), 0);
  EXPECT_EQ(batch.slice(1, 1).views.at("crops").size(0), 0);
  EXPECT_THROW(batch.slice(2, 4), c10::Error);
  EXPECT_THROW(batch.slice(2, 1), c10::Error);
  EXPECT_THROW(batch.slice(-1, 1), c10::Error);
}

TEST(Batch, PicturesOrTextsMayBeAbsent) {
  Batch texts = make_batch(3, 1);
  texts.views.clear();
  texts.image_id = torch::Tensor();
  const Batch part = texts.slice(1, 2).to(torch::kCPU);
  EXPECT_EQ(part.size(), 1);
  EXPECT_FALSE(part.image_id.defined());
  EXPECT_EQ(part.tokens.size(0), 1);
}

TEST(Batch, AViewThatDoesNotFitItsRowsIsRefused) {
  Batch batch = make_batch(3, 1);
  batch.views["image"] = batch.views["image"].slice(0, 0, 2);
  EXPECT_THROW(batch.slice(0, 1), c10::Error);
}

}  // namespace
}  // namespace duet
