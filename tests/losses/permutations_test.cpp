#include "losses/image/permutations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace duet {
namespace {

std::int64_t least_distance(const std::vector<Permutation>& all) {
  std::int64_t least = INT64_MAX;
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      std::int64_t apart = 0;
      for (std::size_t i = 0; i < all[a].size(); ++i) apart += all[a][i] != all[b][i];
      least = std::min(least, apart);
    }
  }
  return least;
}

TEST(FarPermutations, NoTileTwiceNoArrangementTwice) {
  const auto all = far_permutations(4, 24, 7);
  EXPECT_EQ(std::set<Permutation>(all.begin(), all.end()).size(), 24u);
  for (Permutation order : all) {
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, (Permutation{0, 1, 2, 3}));
  }
}

TEST(FarPermutations, AreAsFarApartAsCanBe) {
  EXPECT_EQ(least_distance(far_permutations(3, 3, 1)), 3);  // the turns
  EXPECT_EQ(least_distance(far_permutations(3, 6, 1)), 2);
  EXPECT_GE(least_distance(far_permutations(9, 9, 1)), 8);
  EXPECT_GE(least_distance(far_permutations(9, 100, 1)), 6);  // of 100 drawn ones some two are 4 or 5 apart
}

TEST(FarPermutations, AreAFunctionOfTheSeed) {
  EXPECT_EQ(far_permutations(5, 10, 3), far_permutations(5, 10, 3));
  EXPECT_NE(far_permutations(5, 10, 3), far_permutations(5, 10, 4));
}

}  // namespace
}  // namespace duet
