#include <gmock/gmock.h>

#include <stdexcept>

#include "datasets/loader.h"
#include "drawn_source.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::drawn_source;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::holds;
using ::testing::Not;
using testing::test_image;

TEST(ForEachImage, AllRowsInOrder) {
  Source source = drawn_source(23);
  source.draw = [](std::int64_t row) -> Image {
    if (row == 6 || row == 21) throw BadImage("empty file");
    return test_image(30, 20, static_cast<int>(row));
  };
  Preprocessing preprocessing;
  preprocessing.size = 10;
  for (const int workers : {0, 1, 3}) {
    std::int64_t expected = 0;
    const auto bad = for_each_image(
        source, preprocessing, 5, workers, 1000, {}, [&](std::int64_t first, torch::Tensor images) {
          EXPECT_EQ(first, expected);
          EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{first == 20 ? 3 : 5, 3, 10, 10}));
          EXPECT_TRUE(images.is_contiguous(torch::MemoryFormat::ChannelsLast));
          for (std::int64_t i = 0; i < images.size(0); ++i) {
            const std::int64_t row = first + i;
            EXPECT_TRUE(holds(
                images, i,
                row == 6 || row == 21 ? blank_image(10, 10) : resize_image(source.draw(row), preprocessing)));
          }
          expected += images.size(0);
        });
    EXPECT_EQ(expected, 23);
    EXPECT_THAT(bad, ElementsAre(std::pair<std::int64_t, std::string>(6, "empty file"),
                                 std::pair<std::int64_t, std::string>(21, "empty file")));
  }
}

TEST(ForEachImage, MoreUnreadablePicturesThanAllowedEndTheWorkEarly) {
  Source source = drawn_source(40);
  source.draw = [](std::int64_t row) -> Image {
    if (row < 8) throw BadImage("empty file");
    return test_image(8, 8);
  };
  for (const int workers : {0, 2}) {
    std::int64_t seen = 0;
    const auto count = [&](std::int64_t, const torch::Tensor& images) { seen += images.size(0); };
    const BadPictureLimit limit{.fraction = 0.15, .key = "--max-bad-fraction"};
    EXPECT_THAT(error_of([&] { for_each_image(source, {}, 5, workers, 1000, limit, count); }),
                AllOf(HasSubstr("8 of 40 pictures"), HasSubstr("--max-bad-fraction = 0.15"),
                      HasSubstr("p0.png: empty file")));
    EXPECT_EQ(seen, 5);
    EXPECT_EQ(for_each_image(source, {}, 5, workers, 1000, {.fraction = 0.2}, count).size(), 8u);
  }
}

TEST(ForEachImage, AllUnreadableIsNotMoreThanAllIsAllowed) {
  Source source = drawn_source(3);
  source.draw = [](std::int64_t) -> Image { throw BadImage("empty file"); };
  const BadPictureLimit limit{.fraction = 1, .key = "--max-bad-fraction"};
  EXPECT_THAT(
      error_of([&] { for_each_image(source, {}, 5, 0, 1000, limit, [](std::int64_t, torch::Tensor) {}); }),
      AllOf(HasSubstr("3 of 3 pictures cannot be read, and so none is left:\n  p0.png: empty file"),
            Not(HasSubstr("--max-bad-fraction"))));
}

TEST(ForEachImage, ErrorsOnBothSidesAreThrown) {
  Source source = drawn_source(23);
  Preprocessing preprocessing;
  for (const int workers : {0, 2}) {
    EXPECT_THROW(for_each_image(source, preprocessing, 5, workers, 1000, {},
                                [](std::int64_t first, const torch::Tensor&) {
                                  if (first == 10) throw std::out_of_range("consumer");
                                }),
                 std::out_of_range);
    Source broken = source;
    broken.draw = [](std::int64_t row) -> Image {
      if (row == 12) throw std::runtime_error("producer");
      return test_image(8, 8);
    };
    std::int64_t seen = 0;
    EXPECT_THROW(for_each_image(broken, preprocessing, 5, workers, 1000, {},
                                [&](std::int64_t, const torch::Tensor& images) { seen += images.size(0); }),
                 std::runtime_error);
    EXPECT_EQ(seen, 10);
  }
}

}  // namespace
}  // namespace duet
