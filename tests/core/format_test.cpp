#include "core/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace duet {
namespace {

TEST(Format, Fixed) {
  EXPECT_EQ(fixed(.1234, 3), "0.123");
  EXPECT_EQ(fixed(-2, 0), "-2");
  EXPECT_EQ(fixed(1e300, 1).size(), 303u);
  EXPECT_EQ(fixed(std::nan(""), 2), "nan");
}

TEST(Format, Grouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(11687), "11,687");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Format, HumanBytes) {
  EXPECT_EQ(human_bytes(0), "0 bytes");
  EXPECT_EQ(human_bytes(999), "999 bytes");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(1'500'000'000), "1.5 GB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(123'456'789), "123 MB");
  EXPECT_EQ(human_bytes(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

TEST(Format, HumanSeconds) {
  EXPECT_EQ(human_seconds(0.34), "0.3 s");
  EXPECT_EQ(human_seconds(9.96), "10 s");
  EXPECT_EQ(human_seconds(42), "42 s");
  EXPECT_EQ(human_seconds(59.6), "1 min 00 s");
  EXPECT_EQ(human_seconds(200), "3 min 20 s");
  EXPECT_EQ(human_seconds(7500), "2 h 05 min");
  EXPECT_EQ(human_seconds(-1), "0.0 s");
  EXPECT_EQ(human_seconds(std::numeric_limits<double>::infinity()), "?");
}

TEST(Format, Joined) {
  const std::vector<std::string> words{"a", "b", "c"};
  EXPECT_EQ(joined(words), "a, b, c");
  EXPECT_EQ(joined(words, "/"), "a/b/c");
  EXPECT_EQ(joined(std::vector<std::string>{}), "");
}

TEST(Closest, FindsTypos) {
  const std::vector<std::string> options{"temperature", "weight", "lr", "label_smoothing"};
  EXPECT_EQ(closest("temprature", options), "temperature");
  EXPECT_EQ(closest("wieght", options), "weight");  // two letters swapped are one mistake
  EXPECT_EQ(closest("LABEL_SMOOTHING", options), "label_smoothing");
  EXPECT_EQ(closest("lrr", options), "lr");
}

TEST(Closest, StaysSilentWhenNothingIsNear) {
  const std::vector<std::string> options{"temperature", "lr"};
  EXPECT_EQ(closest("pressure", options), "");
  EXPECT_EQ(closest("", options), "");
  EXPECT_EQ(closest("x", options), "");
  EXPECT_EQ(did_you_mean("pressure", options), "");
  EXPECT_EQ(did_you_mean("temperatur", options), "; did you mean 'temperature'?");
}

}  // namespace
}  // namespace duet
