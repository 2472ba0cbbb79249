#include "datasets/pixel_cache.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"
#include "datasets/loader.h"
#include "scratch.h"
#include "tests/support/quiet.h"

namespace duet {
namespace {

using testing::Scratch;
using testing::test_image;

Source drawn_source(std::int64_t rows, std::function<Image(std::int64_t)> draw) {
  Source source;
  source.pairs.resize(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row)
    source.pairs[static_cast<std::size_t>(row)].image = cat(row, ".png");
  source.draw = std::move(draw);
  return source;
}

Source written_source(const Scratch& scratch, int rows, int width, int height) {
  Source source = drawn_source(rows, {});
  source.root = scratch.folder();
  source.manifest = scratch.folder() / "photos.csv";
  for (int row = 0; row < rows; ++row)
    scratch.write(cat(row, ".png"), png_bytes(test_image(width, height, row)));
  return source;
}

Preprocessing how(const std::string& resize, int size) {
  Preprocessing preprocessing;
  preprocessing.size = size;
  preprocessing.resize = resize;
  return preprocessing;
}

fs::path file_ending(const fs::path& folder, const std::string& extension) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) return entry.path();
  return {};
}

TEST(PixelCache, DecodesOnceWhoeverAsks) {
  std::atomic<int> decoded = 0;
  constexpr std::int64_t kRows = 100;
  const Source source = drawn_source(kRows, [&](std::int64_t row) {
    ++decoded;
    return test_image(16, 16, static_cast<int>(row));
  });
  PixelCache cache(source, how("pad", 16), 16, 1000, {});
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t i = 0; i < kRows; ++i) {
        const std::int64_t row = (i * (t % 2 ? 1 : 99) + 1) % kRows;
        EXPECT_EQ(cache.picture(row)->rgb, test_image(16, 16, static_cast<int>(row)).rgb);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(decoded, kRows);
  EXPECT_EQ(cache.memory(), kRows * 16 * 16 * 3);
}

TEST(PixelCache, KeepsTheSideThatTrainingNeeds) {
  const auto size = [](const std::string& resize, int width, int height) {
    const Source source = drawn_source(1, [=](std::int64_t) { return test_image(width, height); });
    const auto picture = PixelCache(source, how(resize, 32), 32, 1'000'000, {}).picture(0);
    return std::pair(picture->width, picture->height);
  };
  EXPECT_EQ(size("pad", 200, 100), std::pair(32, 16));
  EXPECT_EQ(size("crop", 200, 100), std::pair(64, 32));
  EXPECT_EQ(size("squash", 100, 300), std::pair(32, 96));
  EXPECT_EQ(size("pad", 20, 10), std::pair(20, 10));  // never enlarged
  EXPECT_EQ(size("pad", 4000, 10), std::pair(32, 1));
}

TEST(PixelCache, PaddedPicturesAreTheSameWithAndWithoutIt) {
  const Source source =
      drawn_source(3, [](std::int64_t row) { return test_image(90 + static_cast<int>(row), 47); });
  const Preprocessing preprocessing = how("pad", 32);
  PixelCache cache(source, preprocessing, 32, 1'000'000, {});
  for (std::int64_t row = 0; row < 3; ++row)
    EXPECT_EQ(resize_image(*cache.picture(row), preprocessing).rgb,
              resize_image(source.draw(row), preprocessing).rgb);
}

TEST(PixelCache, BadPicturesStayBadOtherErrorsAreTriedAgain) {
  int calls = 0;
  const Source source = drawn_source(2, [&](std::int64_t row) -> Image {
    if (++calls == 1) throw std::runtime_error("out of luck");
    if (row == 1) throw BadImage("truncated JPEG");
    return test_image(8, 8);
  });
  PixelCache cache(source, how("pad", 8), 8, 1000, {});
  EXPECT_THROW(cache.picture(0), std::runtime_error);
  EXPECT_EQ(cache.picture(0)->width, 8);
  for (int i = 0; i < 3; ++i) {
    try {
      cache.picture(1);
      ADD_FAILURE();
    } catch (const BadImage& error) {
      EXPECT_STREQ(error.what(), "truncated JPEG");
    }
  }
  EXPECT_EQ(calls, 3);
}

TEST(PixelCache, DiskServesLaterRunsUntilAPictureChanges) {
  const Scratch pictures, folder;
  const Source source = written_source(pictures, 3, 40, 30);
  std::vector<std::vector<std::uint8_t>> first;
  {
    PixelCache fresh(source, how("pad", 16), 16, 1'000'000, folder.folder());
    for (std::int64_t row = 0; row < 3; ++row) first.push_back(fresh.picture(row)->rgb);
    EXPECT_EQ(fresh.memory(), 0U);
  }
  const fs::path path = pictures.folder() / "1.png";
  const auto time = fs::last_write_time(path);
  pictures.write("1.png", std::string(fs::file_size(path), 'x'));
  fs::last_write_time(path, time);
  PixelCache same(source, how("pad", 16), 16, 1'000'000, folder.folder());
  for (std::int64_t row = 0; row < 3; ++row)
    EXPECT_EQ(same.picture(row)->rgb, first[static_cast<std::size_t>(row)]);
  PixelCache other_side(source, how("pad", 16), 20, 1'000'000, folder.folder());
  EXPECT_THROW(other_side.picture(1), BadImage);
  fs::last_write_time(path, time + std::chrono::seconds(1));
  PixelCache changed(source, how("pad", 16), 16, 1'000'000, folder.folder());
  EXPECT_THROW(changed.picture(1), BadImage);
  EXPECT_EQ(changed.picture(2)->rgb, first[2]);
}

TEST(PixelCache, NoByteChangedOnDiskIsEverUsed) {
  const Scratch pictures;
  constexpr int kRows = 3;
  const Source source = written_source(pictures, kRows, 5, 3);
  const Scratch made;
  std::vector<std::vector<std::uint8_t>> right;
  {
    PixelCache cache(source, how("pad", 4), 4, 1000, made.folder());
    for (std::int64_t row = 0; row < kRows; ++row) right.push_back(cache.picture(row)->rgb);
  }
  int checked = 0;
  const auto check = [&](const std::string& extension, const std::string& content) {
    const Scratch folder;
    for (const char* each : {".pixels", ".index"}) {
      const fs::path from = file_ending(made.folder(), each);
      folder.write(from.filename(), extension == each ? content : read_file(from));
    }
    for (int run = 0; run < 2; ++run) {  // the second finds what the first repaired
      PixelCache cache(source, how("pad", 4), 4, 1000, folder.folder());
      for (std::int64_t row = 0; row < kRows; ++row)
        ASSERT_EQ(cache.picture(row)->rgb, right[static_cast<std::size_t>(row)])
            << extension << " case " << checked;
    }
    ++checked;
  };
  for (const std::string extension : {".pixels", ".index"}) {
    const std::string whole = read_file(file_ending(made.folder(), extension));
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 0x20);
      check(extension, changed);
      check(extension, whole.substr(0, i));
    }
    check(extension, cat("half of a record", whole));
  }
  EXPECT_GT(checked, 2 * 100);
}

Image numbered(std::uint64_t key) {
  return test_image(7, 5 + static_cast<int>(key % 3), static_cast<int>(key));
}

TEST(PixelFile, SurvivesBeingKilled) {
  const Scratch folder;
  const fs::path stem = folder.folder() / "killed";
  const pid_t child = ::fork();
  if (child == 0) {
    PixelFile file(stem);
    for (std::uint64_t key = 0;; ++key) file.add(key, numbered(key));
  }
  const fs::path index = stem.string() + ".index";
  std::error_code ignored;
  while (!fs::exists(index) || fs::file_size(index, ignored) < 48 * 200) std::this_thread::yield();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  PixelFile file(stem);
  std::uint64_t found = 0;
  for (std::uint64_t key = 0; key < 200; ++key) {
    const auto image = file.find(key);
    ASSERT_TRUE(image.has_value()) << key;
    ASSERT_EQ(image->rgb, numbered(key).rgb);
    ++found;
  }
  EXPECT_EQ(found, 200U);
  file.add(1'000'000'000, numbered(4));
  EXPECT_EQ(PixelFile(stem).find(1'000'000'000)->rgb, numbered(4).rgb);
}

TEST(PixelFile, TwoWritersAtOnce) {
  const Scratch folder;
  const fs::path stem = folder.folder() / "both";
  constexpr std::uint64_t kEach = 300;
  const auto write = [&](std::uint64_t first) {
    PixelFile file(stem);
    for (std::uint64_t i = 0; i < kEach; ++i) file.add(2 * i + first, numbered(2 * i + first));
  };
  std::thread other(write, 1);
  write(0);
  other.join();
  const PixelFile file(stem);
  for (std::uint64_t key = 0; key < 2 * kEach; ++key) {
    const auto image = file.find(key);
    ASSERT_TRUE(image.has_value()) << key;
    ASSERT_EQ(image->rgb, numbered(key).rgb);
  }
  EXPECT_FALSE(file.find(2 * kEach).has_value());
}

TEST(PixelFile, SaysWhereItCannotWrite) {
  const Scratch folder;
  folder.write("file", "x");
  EXPECT_THAT(
      testing::error_of([&] { PixelFile(folder.folder() / "file" / "below"); }, Exit::failed),
      ::testing::AllOf(::testing::HasSubstr("below.pixels"), ::testing::HasSubstr("data.cache_folder")));
}

TEST(PixelCache, IsNotPutIntoASealedFolder) {
  const Scratch pictures, folder;
  const Source source = written_source(pictures, 1, 40, 30);
  const fs::path sealed = folder.folder() / "model";
  fs::create_directories(sealed);
  seal_folder(sealed, "duet-model", 1, nlohmann::json::object());
  for (const fs::path& inside : {sealed, sealed / "cache"}) {
    testing::error_of(
        [&] { make_pixel_cache(source, how("pad", 16), {.cache = "disk", .cache_folder = inside}); },
        Exit::usage);
  }
  EXPECT_NO_THROW(open_sealed(sealed, "duet-model", 1));
}

TEST(PixelCache, MadeAsTheOptionsSay) {
  const Quiet quiet;
  const Scratch pictures, folder;
  const Source source = written_source(pictures, 1, 40, 30);
  EXPECT_EQ(make_pixel_cache(source, how("pad", 16), {.cache = "none"}), nullptr);
  EXPECT_EQ(make_pixel_cache(source, how("pad", 16), {.cache = "memory"})->picture(0)->width, 16);
  EXPECT_EQ(make_pixel_cache(source, how("pad", 16), {.cache = "memory", .cache_size = 20})->picture(0)->width,
            20);
  EXPECT_TRUE(fs::is_empty(folder.folder()));
  make_pixel_cache(source, how("pad", 16), {.cache = "disk", .cache_folder = folder.folder() / "cache"})
      ->picture(0);
  EXPECT_EQ(fs::file_size(file_ending(folder.folder() / "cache", ".pixels")), 16U * 12 * 3);
}

}  // namespace
}  // namespace duet
