// Two towers small enough for exact comparisons, with dropout and batch statistics where a test asks for them,
// in the real spaces "joint" (projection) and "pieces"; and batches of random pictures and captions for them.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "core/config.h"
#include "encoders/model.h"
#include "losses/objective.h"
#include "tensors/batch.h"

namespace duet::testing {

inline constexpr std::int64_t kVocabulary = 24;  // the last kSpecialCount are specials
inline constexpr std::int64_t kPadId = kVocabulary - kSpecialCount;

struct TinyOptions {
  double dropout = 0;
  bool batch_norm = false;
};

ModelSpec tiny_spec(const TinyOptions& options = {});
std::shared_ptr<Model> tiny_model(const TinyOptions& options = {});

// `rows` pairs with ids of their own, except that rows 0 and 1 share a concept and rows 2 and 3 a picture.
Batch tiny_batch(std::int64_t rows, std::uint64_t seed, std::int64_t copies = 1);

// As if 10 captions had been counted; piece 5 is in none of them.
CorpusStatistics tiny_statistics();

// One [[objective]] table, read as in a recipe of that model and batch.
ObjectiveSpec read_objective(const std::string& table, const ModelSpec& model, std::int64_t batch = 4);
// Its objective, made for `model`.
std::shared_ptr<Objective> make_objective(const std::string& table, Model& model);

// Sum of absolute differences between two gradients, relative to the first one's.
double relative_distance(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace duet::testing
