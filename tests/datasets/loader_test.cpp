#include "datasets/loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "core/checksum.h"
#include "core/format.h"
#include "datasets/pixel_cache.h"
#include "drawn_source.h"
#include "tests/support/quiet.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::drawn_source;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::holds;
using ::testing::Not;
using testing::Scratch;
using testing::test_image;

constexpr std::int64_t kRows = 12;
constexpr std::int64_t kBatch = 5;

const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    const Quiet quiet;
    std::vector<std::string> captions;
    for (const Pair& pair : drawn_source(kRows).pairs)
      captions.insert(captions.end(), pair.captions.begin(), pair.captions.end());
    return Tokenizer::train(captions, {.vocabulary = 320, .model = {}});
  }();
  return trained;
}

std::vector<std::int64_t> rows_of_step(std::int64_t step) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < kBatch; ++i) rows.push_back((step * kBatch + i * 5) % kRows);
  return rows;
}

const Augmentation kStrong{.crop_low = 0.4,
                           .flip = 0.5,
                           .rotation = 20,
                           .brightness = 0.3,
                           .contrast = 0.3,
                           .saturation = 0.3,
                           .hue = 0.1,
                           .grayscale = 0.2,
                           .blur = 0.3};

LoaderSetting setting_of(const Source& source) {
  LoaderSetting setting;
  setting.source = &source;
  setting.tokenizer = &tokenizer();
  setting.text_format = {.context = 24, .bos = false, .eos = true, .cls = false};
  setting.captions.tag_subset = 0.7;
  setting.views = {{.name = "main", .augmentation = kStrong, .size = 0, .count = 1},
                   {.name = "local", .augmentation = kStrong, .size = 9, .count = 2}};
  setting.preprocessing.size = 16;
  return setting;
}

std::vector<Batch> batches(const LoaderSetting& setting, const LoaderOptions& options, std::int64_t first,
                           std::int64_t end, const RowsOfStep& rows = rows_of_step) {
  Loader loader(setting, options, rows, first, end);
  std::vector<Batch> made;
  for (std::int64_t step = first; step < end; ++step) made.push_back(loader.next());
  return made;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.views.size(), b.views.size());
  for (const auto& [name, images] : a.views) EXPECT_TRUE(torch::equal(images, b.views.at(name))) << name;
  EXPECT_TRUE(torch::equal(a.tokens, b.tokens));
  EXPECT_TRUE(torch::equal(a.valid, b.valid));
  EXPECT_TRUE(torch::equal(a.image_id, b.image_id));
  EXPECT_TRUE(torch::equal(a.caption_id, b.caption_id));
  EXPECT_TRUE(torch::equal(a.concept_id, b.concept_id));
}

TEST(Loader, SameBytesForAnyNumberOfWorkersWithAndWithoutCache) {
  const Source source = drawn_source(kRows);
  LoaderSetting setting = setting_of(source);
  const std::vector<Batch> reference = batches(setting, {.cache = "none"}, 0, 9);
  for (const int workers : {0, 1, 3})
    for (const int prefetch : {1, 4}) {
      const std::vector<Batch> made = batches(setting, {.workers = workers, .prefetch = prefetch}, 0, 9);
      for (std::size_t step = 0; step < made.size(); ++step) expect_equal(made[step], reference[step]);
    }
  // Pictures that are no larger than the cache's side are kept as they are.
  setting.cache = make_pixel_cache(source, setting.preprocessing, {.cache_size = 64});
  for (const int workers : {0, 3}) {
    const std::vector<Batch> made = batches(setting, {.workers = workers}, 0, 9);
    for (std::size_t step = 0; step < made.size(); ++step) expect_equal(made[step], reference[step]);
  }
}

TEST(Loader, AStepDoesNotDependOnWhereTheRunBegan) {
  const Source source = drawn_source(kRows);
  const LoaderSetting setting = setting_of(source);
  const std::vector<Batch> whole = batches(setting, {.workers = 2}, 0, 8);
  for (const std::int64_t first : {1, 5, 7}) {
    const std::vector<Batch> rest = batches(setting, {.workers = 1}, first, 8);
    for (std::size_t i = 0; i < rest.size(); ++i)
      expect_equal(rest[i], whole[static_cast<std::size_t>(first) + i]);
  }
}

TEST(Loader, PicturesAreTheAugmentationOfTheirStepAndPlace) {
  const Source source = drawn_source(kRows);
  const LoaderSetting setting = setting_of(source);
  const LoaderOptions options{.workers = 2, .seed = 77};
  const std::vector<Batch> made = batches(setting, options, 3, 5);
  for (std::int64_t step = 3; step < 5; ++step) {
    const Batch& batch = made[static_cast<std::size_t>(step - 3)];
    EXPECT_EQ(batch.rows, rows_of_step(step));
    for (const ViewSpec& view : setting.views) {
      const torch::Tensor& images = batch.views.at(view.name);
      const int size = view.size == 0 ? 16 : view.size;
      EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{view.count * kBatch, 3, size, size}));
      EXPECT_TRUE(images.is_contiguous(torch::MemoryFormat::ChannelsLast));
      EXPECT_EQ(images.scalar_type(), torch::kUInt8);
      for (int copy = 0; copy < view.count; ++copy)
        for (std::int64_t i = 0; i < kBatch; ++i) {
          Random random(seed_of(77, "view", step, i, view.name, copy));
          const Image image = source.draw(batch.rows[static_cast<std::size_t>(i)]);
          EXPECT_TRUE(holds(images, copy * kBatch + i,
                            augment(image, view.augmentation, setting.preprocessing, size, random)));
        }
    }
  }
}

TEST(Loader, AnotherViewChangesNothingElse) {
  const Source source = drawn_source(kRows);
  LoaderSetting setting = setting_of(source);
  const Batch both = batches(setting, {}, 2, 3)[0];
  setting.views.pop_back();
  const Batch one = batches(setting, {}, 2, 3)[0];
  EXPECT_TRUE(torch::equal(one.views.at("main"), both.views.at("main")));
  EXPECT_TRUE(torch::equal(one.tokens, both.tokens));
}

TEST(Loader, SeedsAndStepsDiffer) {
  const Source source = drawn_source(kRows);
  const LoaderSetting setting = setting_of(source);
  const auto always = [](std::int64_t) { return std::vector<std::int64_t>(kBatch, 4); };
  const std::vector<Batch> a = batches(setting, {.seed = 1}, 0, 2, always),
                           b = batches(setting, {.seed = 2}, 0, 1, always);
  EXPECT_FALSE(torch::equal(a[0].views.at("main"), a[1].views.at("main")));
  EXPECT_FALSE(torch::equal(a[0].views.at("main"), b[0].views.at("main")));
  EXPECT_FALSE(torch::equal(a[0].views.at("main")[0], a[0].views.at("main")[1]));
  EXPECT_FALSE(torch::equal(a[0].views.at("local")[0], a[0].views.at("local")[kBatch]));
}

TEST(Loader, Ids) {
  const Source source = drawn_source(kRows);
  LoaderSetting setting = setting_of(source);
  setting.captions.tag_subset = 0;
  for (const Batch& batch : batches(setting, {}, 0, 4)) {
    std::set<std::int64_t> short_ids;
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      const std::int64_t row = batch.rows[static_cast<std::size_t>(i)];
      EXPECT_EQ(batch.image_id[i].item<std::int64_t>(), source.image_id(row));
      EXPECT_EQ(batch.concept_id[i].item<std::int64_t>(), source.concept_id(row));
      std::vector<std::int64_t> ids;
      for (std::int64_t k = 0; k < batch.tokens.size(1); ++k)
        if (batch.valid[i][k].item<bool>()) ids.push_back(batch.tokens[i][k].item<std::int64_t>());
      const auto bytes =
          std::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
      EXPECT_EQ(batch.caption_id[i].item<std::int64_t>(), static_cast<std::int64_t>(hash64(bytes)));
      if (ids == encode_caption(tokenizer(), "a drawing", setting.text_format))
        short_ids.insert(batch.caption_id[i].item<std::int64_t>());
      else
        EXPECT_EQ(ids, encode_caption(tokenizer(), source.pairs[static_cast<std::size_t>(row)].captions[0],
                                      setting.text_format));
    }
    EXPECT_LE(short_ids.size(), 1U);  // equal captions are each other's positives
  }
}

TEST(Loader, TextIsPaddedToTheLongestOrTheContext) {
  const Source source = drawn_source(kRows);
  const LoaderSetting setting = setting_of(source);
  for (const Batch& batch : batches(setting, {}, 0, 6)) {
    const std::int64_t longest = batch.valid.sum(1).max().item<std::int64_t>();
    EXPECT_EQ(batch.tokens.size(1), std::min<std::int64_t>(24, (longest + 7) / 8 * 8));
  }
  EXPECT_EQ(batches(setting, {.pad_to_context = true}, 0, 1)[0].tokens.size(1), 24);
}

TEST(Loader, WithoutTextOrPictures) {
  const Source source = drawn_source(kRows);
  LoaderSetting setting = setting_of(source);
  setting.tokenizer = nullptr;
  const Batch pictures = batches(setting, {}, 0, 1)[0];
  EXPECT_FALSE(pictures.tokens.defined());
  EXPECT_TRUE(torch::equal(pictures.caption_id, pictures.image_id));
  setting = setting_of(source);
  setting.views.clear();
  const Batch texts = batches(setting, {.workers = 1}, 0, 1)[0];
  EXPECT_TRUE(texts.views.empty());
  EXPECT_EQ(texts.tokens.size(0), kBatch);
}

TEST(Loader, AnErrorComesWhenItsStepIsDueAndStays) {
  Source source = drawn_source(kRows);
  source.draw = [](std::int64_t row) -> Image {
    if (row == 7) throw std::runtime_error("the disk is gone");
    return test_image(16, 16);
  };
  const auto rows = [](std::int64_t step) { return std::vector<std::int64_t>{step, step}; };
  for (const int workers : {0, 1, 3}) {
    Loader loader(setting_of(source), {.workers = workers}, rows, 3, 12);
    for (std::int64_t step = 3; step < 7; ++step) EXPECT_EQ(loader.next().rows[0], step);
    for (int again = 0; again < 2; ++again) {
      try {
        loader.next();
        ADD_FAILURE();
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "the disk is gone");
      }
    }
  }
}

TEST(Loader, EndsWhereItShould) {
  const Source source = drawn_source(kRows);
  for (const int workers : {0, 2}) {
    Loader loader(setting_of(source), {.workers = workers}, rows_of_step, 4, 6);
    loader.next();
    loader.next();
    EXPECT_THROW(loader.next(), std::logic_error);
  }
}

TEST(Loader, RunsNoFurtherAheadThanAskedAndStopsInTheMiddle) {
  const Source source = drawn_source(kRows);
  std::atomic<std::int64_t> furthest = -1;
  const auto rows = [&](std::int64_t step) {
    std::int64_t before = furthest;
    while (before < step && !furthest.compare_exchange_weak(before, step)) {
    }
    return rows_of_step(step);
  };
  {
    Loader loader(setting_of(source), {.workers = 3, .prefetch = 2}, rows, 0, std::int64_t{1} << 40);
    for (int i = 0; i < 5; ++i) loader.next();
  }
  EXPECT_GE(furthest, 4);
  EXPECT_LE(furthest, 4 + 2);
}

TEST(Loader, ReplacesUnreadablePicturesByTheNextReadableRow) {
  Source source = drawn_source(kRows);
  source.draw = [](std::int64_t row) -> Image {
    if (row == 3 || row == 4 || row == kRows - 1) throw BadImage("truncated JPEG");
    return test_image(16, 16, static_cast<int>(row));
  };
  LoaderSetting setting = setting_of(source);
  setting.views = {{}};
  const auto rows = [](std::int64_t) { return std::vector<std::int64_t>{2, 3, kRows - 1, 4}; };
  for (const bool cached : {false, true})
    for (const int workers : {0, 1, 3}) {
      const LoaderOptions options{.workers = workers, .max_bad_fraction = 0.25};
      setting.cache = cached ? make_pixel_cache(source, setting.preprocessing, options) : nullptr;
      Loader loader(setting, options, rows, 0, 5);
      EXPECT_THAT(loader.bad_pictures(), ElementsAre());
      for (int step = 0; step < 5; ++step) {
        const Batch batch = loader.next();
        EXPECT_THAT(batch.rows, ElementsAre(2, 5, 0, 5));
        EXPECT_TRUE(holds(batch.views.at("main"), 1, test_image(16, 16, 5)));
        EXPECT_TRUE(holds(batch.views.at("main"), 2, test_image(16, 16, 0)));
        EXPECT_EQ(batch.image_id[1].item<std::int64_t>(), source.image_id(5));
        EXPECT_THAT(loader.bad_pictures(),
                    ElementsAre("p11.png: truncated JPEG", "p3.png: truncated JPEG", "p4.png: truncated JPEG"));
      }
    }
}

TEST(Loader, TooManyUnreadablePicturesEndTheRunAtTheSameStep) {
  constexpr std::int64_t kMany = 200;
  Source source = drawn_source(kMany);
  source.manifest = "photos.csv";
  source.draw = [](std::int64_t row) -> Image {
    if (row % 10 == 0) throw BadImage("empty file");
    return test_image(16, 16);
  };
  const auto rows = [](std::int64_t step) {  // one bad picture a step
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < 10; ++i) chosen.push_back(step * 10 + i);
    return chosen;
  };
  for (const int workers : {0, 1, 3}) {
    Loader loader(setting_of(source), {.workers = workers, .max_bad_fraction = 0.06}, rows, 0, 20);
    for (int step = 0; step < 12; ++step) loader.next();  // 12 of 200 are allowed
    const std::string message = error_of([&] { loader.next(); });
    EXPECT_THAT(message, AllOf(HasSubstr("photos.csv: 13 of 200 pictures cannot be read"),
                               HasSubstr("data.max_bad_fraction = 0.06"), HasSubstr("\n  p0.png: empty file\n"),
                               HasSubstr("\n  p60.png: empty file"), HasSubstr("and 3 more"),
                               HasSubstr("duet data check photos.csv")));
    EXPECT_THAT(message, Not(HasSubstr("p90.png")));  // eleventh and later in order
  }
}

TEST(Loader, OneBadPictureIsAllowedInSmallDataUnlessNoneIs) {
  Source source = drawn_source(kRows);
  source.draw = [](std::int64_t row) -> Image {
    if (row == 0) throw BadImage("empty file");
    return test_image(16, 16);
  };
  const auto all = [](std::int64_t) { return std::vector<std::int64_t>{0, 1, 2}; };
  EXPECT_THAT(batches(setting_of(source), {}, 0, 1, all)[0].rows, ElementsAre(1, 1, 2));
  EXPECT_THAT(error_of([&] { batches(setting_of(source), {.max_bad_fraction = 0}, 0, 1, all); }),
              HasSubstr("1 of 12 pictures cannot be read"));
}

TEST(Loader, WhereNoPictureCanBeReadItEnds) {
  Source source = drawn_source(kRows);
  source.draw = [](std::int64_t) -> Image { throw BadImage("empty file"); };
  for (const int workers : {0, 2})
    EXPECT_THAT(
        error_of([&] { batches(setting_of(source), {.workers = workers, .max_bad_fraction = 1}, 0, 1); }),
        HasSubstr("12 of 12 pictures cannot be read"));
}

TEST(Loader, ReadsFilesFromTheDisk) {
  const Scratch scratch;
  Source source = drawn_source(3);
  source.draw = nullptr;
  source.root = scratch.folder();
  for (int row = 0; row < 3; ++row) scratch.write(cat("p", row, ".png"), png_bytes(test_image(16, 16, row)));
  LoaderSetting setting = setting_of(source);
  setting.views = {{}};
  const auto all = [](std::int64_t) { return std::vector<std::int64_t>{2, 0, 1}; };
  for (const std::string cache : {"none", "memory", "disk"}) {
    const LoaderOptions options{.cache = cache, .cache_folder = scratch.folder() / "cache"};
    setting.cache = make_pixel_cache(source, setting.preprocessing, options);
    const Batch batch = batches(setting, options, 0, 1, all)[0];
    for (std::int64_t i = 0; i < 3; ++i)
      EXPECT_TRUE(holds(batch.views.at("main"), i, test_image(16, 16, static_cast<int>((i + 2) % 3)))) << cache;
  }
}

TEST(Loader, ReadsItsKeys) {
  Config config = Config::parse(
      "workers = 2\nprefetch = 8\ncache = \"disk\"\ncache_folder = \"x\"\ncache_size = 96\n"
      "max_bad_fraction = 0.5\nmax_pixels = 5000",
      "recipe.toml");
  const LoaderOptions options = read_loader_options(config);
  config.finish();
  EXPECT_EQ(options.workers, 2);
  EXPECT_EQ(options.prefetch, 8);
  EXPECT_EQ(options.cache, "disk");
  EXPECT_EQ(options.cache_folder, "x");
  EXPECT_EQ(options.cache_size, 96);
  EXPECT_EQ(options.max_bad_fraction, 0.5);
  EXPECT_EQ(options.max_pixels, 5000);
  for (const std::string line :
       {"workers = -1", "prefetch = 0", "cache = \"ram\"", "max_bad_fraction = 2", "max_pixels = 0"}) {
    Config wrong = Config::parse(line, "recipe.toml");
    EXPECT_THAT(error_of([&] { read_loader_options(wrong); }, Exit::usage),
                AllOf(HasSubstr("recipe.toml:1"), HasSubstr(line.substr(0, line.find(' ')))));
  }
}

}  // namespace
}  // namespace duet
