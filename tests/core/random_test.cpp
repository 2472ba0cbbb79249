#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "core/checksum.h"

namespace duet {
namespace {

// The reference implementation of xoshiro256** seeded by SplitMix64 from 42, as its authors publish both.
TEST(Random, EqualsTheReferenceImplementation) {
  Random random(42);
  EXPECT_EQ(random.bits(), 1546998764402558742u);
  EXPECT_EQ(random.bits(), 6990951692964543102u);
  EXPECT_EQ(random.bits(), 12544586762248559009u);
}

TEST(Random, SameSeedSameNumbers) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.bits(), b.bits());
  EXPECT_NE(a.bits(), c.bits());
}

TEST(Random, UniformStaysInItsRange) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
    const double scaled = random.uniform(-3, 5);
    ASSERT_GE(scaled, -3);
    ASSERT_LT(scaled, 5);
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(Random, UniformNeverReachesTheUpperEnd) {
  Random random(2);
  const double low = 1, high = std::nextafter(1.0, 2.0);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(random.uniform(low, high), low);
}

TEST(Random, BelowIsUnbiased) {
  Random random(3);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(1), 0u);
  // with 3/4 of 2^64 a plain modulo would draw the lower third twice as often
  const std::uint64_t large = std::uint64_t{3} << 62;
  int low = 0;
  for (int i = 0; i < 30'000; ++i) low += random.below(large) < large / 3;
  EXPECT_NEAR(low, 10'000, 400);
}

TEST(Random, NormalHasItsMoments) {
  Random random(4);
  double sum = 0, squares = 0, fourth = 0;
  const int count = 200'000;
  for (int i = 0; i < count; ++i) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourth += value * value * value * value;
  }
  EXPECT_NEAR(sum / count, 0, 0.01);
  EXPECT_NEAR(squares / count, 1, 0.02);
  EXPECT_NEAR(fourth / count, 3, 0.15);
}

TEST(Random, ShufflePermutesEvenly) {
  std::array<std::array<int, 4>, 4> counts{};
  for (std::uint64_t seed = 0; seed < 24'000; ++seed) {
    std::array<int, 4> items{0, 1, 2, 3};
    Random(seed).shuffle(std::span<int>(items));
    std::array<int, 4> sorted = items;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted, (std::array<int, 4>{0, 1, 2, 3}));
    for (std::size_t i = 0; i < 4; ++i) ++counts[i][static_cast<std::size_t>(items[i])];
  }
  for (const auto& row : counts) {
    for (const int count : row) EXPECT_NEAR(count, 6000, 300);
  }
}

TEST(SeedOf, DependsOnEveryPartAndOnTheirOrder) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (int step = 0; step < 100; ++step) {
      for (const char* name : {"dropout", "augment", ""}) seeds.insert(seed_of(seed, name, step));
    }
  }
  EXPECT_EQ(seeds.size(), 3000u);
  EXPECT_NE(seed_of(1, 2, 3), seed_of(1, 3, 2));
  EXPECT_NE(seed_of(0, 1), seed_of(1, 0));
  EXPECT_NE(seed_of(1, "ab", "c"), seed_of(1, "a", "bc"));
  EXPECT_EQ(seed_of(1, std::string("x"), 5), seed_of(1, "x", std::int64_t{5}));
}

// These numbers are part of every saved run: a change here changes the result of every resume.
TEST(SeedOf, KeepsItsValues) {
  EXPECT_EQ(mix(0, std::uint64_t{0}), 12035550249420947055u);
  EXPECT_EQ(mix(7, std::uint64_t{11}), 17890044180799237140u);
  EXPECT_EQ(seed_of(5, 1, 2), 16318735279579375160u);
  EXPECT_EQ(mix(3, std::string_view("init")), mix(3, hash64("init")));
  EXPECT_EQ(seed_of(1, "init", 2), mix(mix(1, std::string_view("init")), std::uint64_t{2}));
  EXPECT_EQ(hash64("init"), 13245688441871745875u);
}

}  // namespace
}  // namespace duet
