#include "vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {

std::vector<float> clustered_vectors(std::int64_t count, std::int64_t dimension, std::int64_t clusters,
                                     std::uint64_t seed) {
  Random random(seed);
  std::vector<double> centres(static_cast<std::size_t>(clusters * dimension));
  for (double& value : centres) value = random.normal();
  std::vector<float> rows;
  for (std::int64_t row = 0; row < count; ++row) {
    const std::size_t centre =
        random.below(static_cast<std::uint64_t>(clusters)) * static_cast<std::size_t>(dimension);
    std::vector<double> vector(static_cast<std::size_t>(dimension));
    double square = 0;
    for (std::size_t i = 0; i < vector.size(); ++i) {
      vector[i] = centres[centre + i] + .5 * random.normal();
      square += vector[i] * vector[i];
    }
    for (const double value : vector) rows.push_back(static_cast<float>(value / std::sqrt(square)));
  }
  return rows;
}

std::vector<float> whole_vectors(std::int64_t count, std::int64_t dimension, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> rows(static_cast<std::size_t>(count * dimension));
  for (float& value : rows) value = static_cast<float>(random.below(3)) - 1;
  return rows;
}

std::vector<std::int64_t> brute_force(std::span<const float> rows, std::span<const float> query,
                                      std::int64_t k) {
  const std::size_t dimension = query.size();
  std::vector<double> scores(rows.size() / dimension);
  for (std::size_t row = 0; row < scores.size(); ++row) {
    scores[row] = std::inner_product(query.begin(), query.end(),
                                     rows.begin() + static_cast<std::ptrdiff_t>(row * dimension), 0.0);
  }
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(k)));
  return order;
}

double recall_of(const std::vector<Hit>& found, const std::vector<std::int64_t>& right) {
  double count = 0;
  for (const Hit& hit : found) count += std::find(right.begin(), right.end(), hit.row) != right.end();
  return count / static_cast<double>(right.size());
}

SmallBundle small_bundle(const std::filesystem::path& root, std::int64_t count, std::int64_t dimension,
                         std::uint64_t seed) {
  SmallBundle small;
  small.rows = clustered_vectors(count, dimension, 8, seed);
  for (std::int64_t row = 0; row < count; ++row) {
    small.content.items.push_back({.path = cat("cats/cat ", row, ".png"),
                                   .captions = {cat("Katze Nr. ", row, ", größer"), "猫"},
                                   .concept_key = cat("cat", row % 3),
                                   .columns = {cat(row), "a\tb"}});
  }
  small.content.rows = small.rows;
  small.content.dimension = dimension;
  small.content.columns = {"number", "größe"};
  small.content.picture_root = root / "pictures";
  small.content.model_folder = root / "model";
  small.content.model_identity = "a-model";
  std::filesystem::create_directories(root / "pictures/cats");
  write_file(root / "pictures/cats/cat 0.png", "pixels");
  std::filesystem::create_directories(root / "model/tower");
  write_file(root / "model/text.toml", "kind = 'bag'\n");
  write_file(root / "model/tower/weights", "12345678");
  return small;
}

void expect_error(const std::function<void()>& act, int exit, const std::vector<std::string>& parts) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.exit()), exit) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << error.what() << "\n  lacks: " << part;
    }
    return;
  }
  ADD_FAILURE() << "no error";
}

}  // namespace duet
