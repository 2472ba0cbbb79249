#include "losses/image/permutations.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "core/random.h"

namespace duet {
namespace {

// Four bits a tile, so that a distance is a few operations.
using Packed = std::uint64_t;

std::vector<Packed> all_permutations(std::int64_t tiles) {
  Permutation order(static_cast<std::size_t>(tiles));
  std::iota(order.begin(), order.end(), 0);
  std::vector<Packed> all;
  do {
    Packed packed = 0;
    for (const std::int64_t tile : order) packed = packed << 4 | static_cast<Packed>(tile);
    all.push_back(packed);
  } while (std::next_permutation(order.begin(), order.end()));
  return all;
}

Permutation unpacked(Packed packed, std::int64_t tiles) {
  Permutation order(static_cast<std::size_t>(tiles));
  for (auto tile = order.rbegin(); tile != order.rend(); ++tile, packed >>= 4)
    *tile = static_cast<std::int64_t>(packed & 15);
  return order;
}

std::int64_t distance(Packed a, Packed b) {
  Packed different = a ^ b;
  different |= different >> 2;
  different |= different >> 1;
  return std::popcount(different & 0x1111'1111'1111'1111);
}

struct Distance {
  std::int64_t least = INT64_MAX, sum = 0;  // to those chosen so far
  auto operator<=>(const Distance&) const = default;
};

}  // namespace

std::vector<Permutation> far_permutations(std::int64_t tiles, std::int64_t count, std::uint64_t seed) {
  std::vector<Packed> all = all_permutations(tiles);
  Random random(seed_of(seed, "permutations"));
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
  std::vector<Distance> distances(all.size());
  std::vector<Permutation> chosen;
  for (std::size_t next = 0; static_cast<std::int64_t>(chosen.size()) < count;) {
    const Packed last = all[next];
    chosen.push_back(unpacked(last, tiles));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::int64_t apart = distance(all[i], last);
      distances[i] = {std::min(distances[i].least, apart), distances[i].sum + apart};
    }
    next = static_cast<std::size_t>(std::max_element(distances.begin(), distances.end()) - distances.begin());
  }
  return chosen;
}

}  // namespace duet
