// A made-up few-shot study: texts of three classes with features near their class's corner, a test part of the
// same items, and splits, all without a model.
#pragma once
#include <cmath>

#include "adaptation/few_shot.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {

constexpr std::int64_t kClasses = 3, kOfClass = 20, kTests = 6, kWidth = 4;

// Item i is of class i % kClasses; the first kTests of each class are asked.
inline FewShotData made_up_items(double noise = 0.5) {
  FewShotData data;
  Labelled& items = data.items;
  items.texts = true;
  items.classes = {"bird", "cat", "dog"};
  items.source.columns = {"label"};
  Random random(7);
  torch::Tensor features = torch::zeros({kClasses * kOfClass, kWidth});
  for (std::int64_t i = 0; i < kClasses * kOfClass; ++i) {
    const std::int64_t label = i % kClasses;
    items.labels.push_back({label});
    items.contents.push_back(cat("content ", i));
    items.groups.push_back(cat("concept ", i / 2));
    items.source.pairs.push_back({.captions = {cat("text ", i)},
                                  .concept_key = items.groups.back(),
                                  .columns = {items.classes[static_cast<std::size_t>(label)]},
                                  .line = i + 2});
    for (std::int64_t k = 0; k < kWidth; ++k) features[i][k] = (k == label ? 1 : 0) + noise * random.normal();
    (i < kClasses * kTests ? data.pool.test : data.pool.rows).push_back(i);
  }
  data.features.tower = features;
  data.features.rows = features / features.norm(2, 1, true);
  return data;
}

inline std::vector<FewShotSplit> made_up_splits(const std::vector<std::int64_t>& shots, std::uint64_t seeds) {
  std::vector<FewShotSplit> splits;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::vector<std::int64_t> order;
    for (std::int64_t i = kTests; i < kOfClass; ++i) order.push_back(i);
    Random(seed).shuffle(std::span(order));
    for (const std::int64_t n : shots) {
      FewShotSplit split{.shots = n, .seed = seed, .support = {}, .validation = {}};
      for (std::int64_t i = 0; i < n + std::min<std::int64_t>(n, 4); ++i) {
        for (std::int64_t label = 0; label < kClasses; ++label)
          (i < n ? split.support : split.validation)
              .push_back(order[static_cast<std::size_t>(i)] * kClasses + label);
      }
      std::sort(split.support.begin(), split.support.end());
      std::sort(split.validation.begin(), split.validation.end());
      splits.push_back(std::move(split));
    }
  }
  return splits;
}

// Names that know the classes a little.
inline AdaptationTask made_up_task(double knowledge = 1) {
  AdaptationTask task;
  torch::Tensor vectors = torch::full({kClasses, kWidth}, 0.3F);
  task.logit_scale = 10;
  for (std::int64_t label = 0; label < kClasses; ++label) {
    vectors[label][label] += knowledge;
    task.names.push_back({.label = cat("class ", label), .names = {cat("name ", label)}});
  }
  task.name_vectors = one_name_each(vectors / vectors.norm(2, 1, true));
  return task;
}

}  // namespace duet
