// The kinds of classifiers that methods return and files hold: a linear map, the classes' names, a linear map
// or a cache of keys beside these, an adapter.
// (Those that change a tower are network_classifier.h's.)
#pragma once
#include "adaptation/method.h"

namespace duet {

// logits = x W^T + b, x being the tower's feature, the row, or both beside each other.
struct LinearMap {
  torch::Tensor weight;  // [C, width]
  torch::Tensor bias;    // [C]
  std::string input;     // tower | rows | both (tower, then rows)
};
std::unique_ptr<Classifier> linear_classifier(LinearMap map);
// [n, width] of a part, as the map's input says.
torch::Tensor input_of(const Part& items, std::string_view input);
// Names as alternatives: name_logits(rows, names, scale).
std::unique_ptr<Classifier> names_classifier(const NameVectors& names, double logit_scale);
// Whether these can be NameVectors::classes.
bool are_ordered(const torch::Tensor& classes);
// The 0-shot row: the task's names at its scale.
std::unique_ptr<Classifier> zero_shot_classifier(const AdaptationTask& task);

// LP++ (Huang et al. 2024): map(x) + alpha * name_logits(rows). With one name a class the latter is the paper's
// scale * rows W^T, and all is a linear map.
struct NamesBlend {
  LinearMap map;
  torch::Tensor alpha;  // [C]
  NameVectors names;
  double logit_scale = 100;
};
std::unique_ptr<Classifier> blend_classifier(NamesBlend blend);

// Tip-Adapter (Zhang et al. 2022): name_logits(rows) + alpha * exp(-beta (1 - rows K^T)) L. With one name a
// class the first is the paper's scale * rows W^T.
struct KeyCache {
  torch::Tensor keys;    // [k, D]
  torch::Tensor values;  // [k, C], one-hot
  NameVectors names;     // undefined: the cache alone
  double logit_scale = 100, alpha = 1, beta = 5.5;
  std::string input = "rows";  // rows | tower (of length one here): where there is no retrieval embedding
};
std::unique_ptr<Classifier> cache_classifier(KeyCache cache);
torch::Tensor logits_of(const KeyCache& cache, const torch::Tensor& rows);  // [n, D] unit -> [n, C]
// What a cache's keys are and are compared with, [n, D] unit.
torch::Tensor unit_input_of(const Part& items, std::string_view input);

// CLIP-Adapter (Gao et al. 2021): name_logits(unit(ratio * mlp(rows) + (1 - ratio) * rows)), mlp two linear
// maps, a ReLU after each.
struct FeatureAdapter {
  torch::Tensor down, up;  // [H, D], [D, H]
  NameVectors names;
  double logit_scale = 100, ratio = 0.2;
};
std::unique_ptr<Classifier> adapter_classifier(FeatureAdapter adapter);
torch::Tensor logits_of(const FeatureAdapter& adapter, const torch::Tensor& rows);  // [n, D] unit -> [n, C]

// The classifier again, from what it says of itself: kind linear, names, blend, cache, adapter or smoothed.
// Error(artifact) naming a tensor that is missing or of the wrong shape, or a fact that is missing; `where`
// says whose they are.
std::unique_ptr<Classifier> make_classifier(std::string_view kind, const nlohmann::json& facts,
                                            const TensorMap& tensors, std::string_view where = "classifier");

}  // namespace duet
