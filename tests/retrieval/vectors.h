// Test vectors, what a brute-force search says about them, and a small bundle made of them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "retrieval/bundle.h"

namespace duet {

// Unit vectors [count, dimension] around `clusters` random centres.
std::vector<float> clustered_vectors(std::int64_t count, std::int64_t dimension, std::int64_t clusters,
                                     std::uint64_t seed);
// Small whole numbers, so that every order of summation gives the same score and ties abound.
std::vector<float> whole_vectors(std::int64_t count, std::int64_t dimension, std::uint64_t seed);

// By the definition: all scores in double, a stable sort.
std::vector<std::int64_t> brute_force(std::span<const float> rows, std::span<const float> query,
                                      std::int64_t k);
double recall_of(const std::vector<Hit>& found, const std::vector<std::int64_t>& right);

struct SmallBundle {
  std::vector<float> rows;
  BundleContent content;  // refers to `rows`
};
// Items "cats/cat N.png" with a caption each, below `root`/pictures; the model folder is made below `root` too.
SmallBundle small_bundle(const std::filesystem::path& root, std::int64_t count, std::int64_t dimension,
                         std::uint64_t seed = 1);

void expect_error(const std::function<void()>& act, int exit, const std::vector<std::string>& parts);

}  // namespace duet
