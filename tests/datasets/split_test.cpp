#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/format.h"
#include "core/random.h"
#include "datasets/camera_name.h"
#include "datasets/source.h"
#include "scratch.h"

namespace duet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::Scratch;

std::set<std::string> images(const Source& source) {
  std::set<std::string> names;
  for (const Pair& pair : source.pairs) names.insert(pair.image);
  return names;
}

// `count` pictures of `concepts` concepts (0: none) whose files hold `content(i)`.
template <class Content>
Source make(const Scratch& scratch, int count, int concepts, Content content) {
  Source source;
  source.root = scratch.folder();
  source.manifest = "photos.csv";
  for (int i = 0; i < count; ++i) {
    const std::string name = cat(i, ".png");
    scratch.write(name, content(i));
    source.pairs.push_back(
        {name, {cat("caption ", i)}, concepts > 0 ? cat("concept ", i % concepts) : "", {}, i + 2});
  }
  return source;
}

std::string own(int i) { return cat("content ", i); }

TEST(Split, PartsEverythingOnce) {
  const Scratch scratch;
  const Source source = make(scratch, 1000, 0, own);
  const auto [train, validation] = split_off(source, 0.1);
  EXPECT_EQ(train.pairs.size() + validation.pairs.size(), 1000u);
  EXPECT_EQ(validation.pairs.size(), 100u);
  std::set<std::string> all = images(train);
  all.merge(images(validation));
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(train.root, source.root);
  EXPECT_EQ(validation.name, "validation");
}

TEST(Split, ConceptsStayTogether) {
  const Scratch scratch;
  const auto [train, validation] = split_off(make(scratch, 600, 100, own), 0.2);
  std::set<std::string> kept, off;
  for (const Pair& pair : train.pairs) kept.insert(pair.concept_key);
  for (const Pair& pair : validation.pairs) off.insert(pair.concept_key);
  EXPECT_EQ(kept.size() + off.size(), 100u);
  EXPECT_EQ(off.size(), 20u);
}

TEST(Split, EqualPicturesStayTogetherAlsoAcrossConcepts) {
  const Scratch scratch;
  const auto [train, validation] = split_off(make(scratch, 400, 0, [](int i) { return own(i / 4); }), 0.3);
  const std::set<std::string> off = images(validation);
  for (int i = 0; i < 400; i += 4)
    for (int j = 1; j < 4; ++j) EXPECT_EQ(off.count(cat(i, ".png")), off.count(cat(i + j, ".png"))) << i;
  // Picture 0 of concept 0 equals picture 1 of concept 1.
  const Scratch crossed;
  const Source source = make(crossed, 200, 50, [](int i) { return own(i == 1 ? 0 : i); });
  for (const double fraction : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    const std::set<std::string> part = images(split_off(source, fraction).second);
    EXPECT_EQ(part.count("0.png"), part.count("1.png"));
  }
}

TEST(Split, IsAFunctionOfTheDataNotOfItsOrder) {
  const Scratch scratch;
  const Source source = make(scratch, 300, 60, own);
  std::vector<std::int64_t> order(300);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  Random random(3);
  random.shuffle(std::span(order));
  EXPECT_EQ(images(split_off(source, 0.2).second),
            images(split_off(source.subset(order, "shuffled"), 0.2).second));
}

TEST(Split, TakesTheShareInSmallDataToo) {
  const Scratch scratch;
  for (const auto& [count, off] : {std::pair{30, 3u}, {12, 1u}, {3, 1u}, {2, 1u}, {99, 10u}})
    EXPECT_EQ(split_off(make(scratch, count, 0, own), 0.1).second.pairs.size(), off) << count;
  EXPECT_EQ(split_off(make(scratch, 2, 0, own), 0.9).first.pairs.size(), 1u);
}

// What is larger than the share stays in training; where everything is, the smallest is split off.
TEST(Split, LargeGroupsDoNotSwellTheShare) {
  const Scratch scratch;
  Source source = make(scratch, 200, 0, own);
  for (std::size_t row = 0; row < 120; ++row) source.pairs[row].concept_key = "most of them";
  const auto [train, validation] = split_off(source, 0.1);
  EXPECT_EQ(validation.pairs.size(), 20u);
  for (const Pair& pair : validation.pairs) EXPECT_EQ(pair.concept_key, "");
  const Scratch twins;
  const auto parts = split_off(make(twins, 10, 0, [](int i) { return own(i < 7); }), 0.1);
  EXPECT_EQ(parts.second.pairs.size(), 3u);
}

TEST(Split, MoreDataKeepsTheSplit) {
  const Scratch scratch;
  const Source source = make(scratch, 500, 0, own);
  std::vector<std::int64_t> half(250);
  for (std::size_t i = 0; i < half.size(); ++i) half[i] = static_cast<std::int64_t>(i);
  const std::set<std::string> whole = images(split_off(source, 0.2).second);
  const std::set<std::string> few = images(split_off(source.subset(half, "half"), 0.2).second);
  // Only where the share ends do they differ: of the first half, one holds all that the other does.
  std::set<std::string> first;
  for (int i = 0; i < 250; ++i)
    if (whole.count(cat(i, ".png"))) first.insert(cat(i, ".png"));
  EXPECT_TRUE(std::ranges::includes(first, few) || std::ranges::includes(few, first));
  EXPECT_NEAR(static_cast<double>(first.size()), static_cast<double>(few.size()), 15);
}

TEST(Split, FewClassesAreFoundInBothParts) {
  const Scratch scratch;
  const auto [train, validation] = split_off(make(scratch, 200, 2, own), 0.2);
  for (const Source* part : {&train, &validation}) {
    std::set<std::string> classes;
    for (const Pair& pair : part->pairs) classes.insert(pair.concept_key);
    EXPECT_EQ(classes.size(), 2u);
  }
}

TEST(Split, NeitherPartIsEmpty) {
  const Scratch scratch;
  for (int count = 2; count < 8; ++count) {
    const auto [train, validation] = split_off(make(scratch, count, 0, own), 0.1);
    EXPECT_FALSE(train.pairs.empty());
    EXPECT_FALSE(validation.pairs.empty());
  }
  EXPECT_THAT(error_of([&] { split_off(make(scratch, 5, 0, [](int) { return own(0); }), 0.1); }),
              HasSubstr("all pictures are one"));
}

TEST(Split, MissingPicturesAndDrawnOnesCanBeSplit) {
  Source source;
  source.root = "/none";
  for (int i = 0; i < 50; ++i) source.pairs.push_back({cat(i, ".png"), {"x"}, "", {}, 0});
  EXPECT_EQ(split_off(source, 0.2).first.pairs.size() + split_off(source, 0.2).second.pairs.size(), 50u);
  const Source shapes = read_source({.data = "shapes:500:1"});
  const auto [train, validation] = split_off(shapes, 0.2);
  const std::string& path = validation.pairs[0].image;  // shapes/000123
  EXPECT_EQ(validation.draw(0).rgb, shapes.draw(std::stol(path.substr(7))).rgb);
}

Source with_captions(const std::vector<std::string>& captions) {
  Source source;
  source.manifest = "photos.csv";
  for (std::size_t i = 0; i < captions.size(); ++i)
    source.pairs.push_back({cat(i, ".png"), {captions[i]}, "", {}, static_cast<std::int64_t>(i) + 2});
  return source;
}

TEST(CheckCaptions, CameraNames) {
  EXPECT_THAT(error_of([] {
                check_captions(with_captions({"a cat", "IMG_1234", "DSC0001.JPG"}));
              }),
              AllOf(HasSubstr("photos.csv:3: 66 % of the captions are names that a camera gives"),
                    HasSubstr("'IMG_1234'"), HasSubstr("NAME.txt")));
  check_captions(with_captions({"a cat", "a dog", "IMG_1234"}));
  for (const char* name :
       {"IMG_1234", "IMG 1234", "DSC0001", "DSCN0042.JPG", "2024-05-01 12.30.11", "PXL_20240501_123011",
        "000123", "007", "Screenshot from 2024-05-01 12-30-11", "WhatsApp Image 2024-05-01 at 12.30.11",
        "P1010023", "MVI_0001", "image (3)", "550e8400-e29b-41d4-a716-446655440000", "20240501_123011"})
    EXPECT_TRUE(is_camera_name(name)) << name;
  for (const char* caption : {"a cat", "7", "42", "photo of a cat", "red heart 2", "Boeing 747",
                              "image of 3 dogs", "猫 1234", "", "!", "cafe", "deadbeef", "scan", "a picture"})
    EXPECT_FALSE(is_camera_name(caption)) << caption;
}

TEST(CheckCaptions, NearlyAllEqual) {
  std::vector<std::string> captions(100, "photo");
  captions[0] = "a cat";
  EXPECT_THAT(
      error_of([&] { check_captions(with_captions(captions)); }),
      AllOf(HasSubstr("photos.csv: 99 % of the captions are equal: 'photo'"), HasSubstr("caption_columns")));
  for (std::size_t i = 0; i < 10; ++i) captions[i] = cat("a cat with ", i, " tails");
  check_captions(with_captions(captions));
}

TEST(CheckCaptions, None) {
  EXPECT_THAT(error_of([] { check_captions(Source{}); }), HasSubstr("no captions"));
}

}  // namespace
}  // namespace duet
