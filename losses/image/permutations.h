// Arrangements far from each other, so that a puzzle cannot be told from few of its tiles.
#pragma once
#include <cstdint>
#include <vector>

namespace duet {

using Permutation = std::vector<std::int64_t>;

// `count` arrangements of 0..tiles-1 (at most 9 tiles, at most tiles! of them), each as far in Hamming distance
// from those before it as can be, of equally far ones that with the largest sum of distances, then the first
// drawn (after Noroozi and Favaro 2016, algorithm 1). A function of its arguments.
std::vector<Permutation> far_permutations(std::int64_t tiles, std::int64_t count, std::uint64_t seed);

}  // namespace duet
