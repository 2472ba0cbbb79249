// A classifier whose tower was trained too: a model of its own, and a head over its retrieval embedding (or its
// tower's feature).
#pragma once
#include <filesystem>

#include "adaptation/method.h"

namespace duet {

// Whose the rows of a head's weight are, where a class has several: its names, which are alternatives.
struct HeadNames {
  torch::Tensor classes;  // [M], as NameVectors::classes; undefined: a row a class
  double softness = 1;    // near 0 the likeliest name of a class counts alone, far from it their mean
};
// x W^T + b [n, C] for x [n, width], a row of W a class; of the names of a class, with t the softness,
// t log mean exp(x W^T / t) + b (name_logits), which is the same where there is one.
torch::Tensor head_logits(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                          const HeadNames& names);

struct NetworkParts {
  std::shared_ptr<Model> model;  // in eval mode, low-rank parts merged
  torch::Tensor weight, bias;    // [C or M, width], [C]
  HeadNames names = {};
  std::string input;        // tower | rows
  TensorMap low_rank = {};  // what LoRA learned: "NAME.lora_a", "NAME.lora_b"; empty: the whole model is saved
};
std::unique_ptr<Classifier> network_classifier(NetworkParts parts, const AdaptationTask& task);

// Again from what facts() and tensors() gave: the head, and the model whole or, of LoRA, its parts alone, which
// stand beside the weights of `saved` (it outlives the classifier). Error(artifact) when they do not fit
// `saved`.
std::unique_ptr<Classifier> make_network_classifier(const nlohmann::json& facts, const TensorMap& tensors,
                                                    const SavedModel& saved, const EmbedSetting& setting);

// FOLDER/model, a finished run's as RUN/model is: what index, embed, evaluate and --init-image take. The
// classifier's trained model, low-rank parts merged; its head stays with the classifier. There must be no
// FOLDER/model yet. Error(usage) for a classifier of another kind, whose model is the one it came from.
void write_adapted_model(const std::filesystem::path& folder, const Classifier& classifier,
                         const SavedModel& saved);

// A model of its own with the same values, in eval mode on the same device: what is trained is never the
// user's.
std::shared_ptr<Model> copy_of(const Model& model, torch::Device device);

// Gives the model the parts that are named "NAME.lora_a" and "NAME.lora_b" (of strength 1), and merges them.
// Error(artifact), `what` saying whose they are, when the model has no such linear map.
void merge_parts(Model& model, const TensorMap& parts, const std::string& what);

}  // namespace duet
