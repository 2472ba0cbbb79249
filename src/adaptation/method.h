// The seam of few-shot methods: from some labelled items to a classifier. A new one is a file in methods/, a
// row in method.cpp's table, and a line in CMakeLists.txt. No method ever sees a test label: it is handed
// support and validation, and what it returns is asked for logits.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/labelled.h"
#include "evaluation/embed.h"
#include "evaluation/features.h"
#include "evaluation/zero_shot.h"
#include "run/saved_model.h"
#include "tensors/tensor_file.h"

namespace duet {

// Items as a classifier sees them.
struct Part {
  const Labelled* data = nullptr;
  std::vector<std::int64_t> items;  // rows of data
  torch::Tensor tower;              // [n, F] of the frozen tower (Features::tower)
  torch::Tensor rows;               // [n, D] unit (Features::rows); undefined where there is none
  torch::Tensor labels;             // [n] int64; undefined for items that are asked
};

struct AdaptationTask {
  std::int64_t classes = 0;
  NameVectors name_vectors;       // of the names, which are alternatives; undefined without names or text tower
  std::vector<ClassNames> names;  // of the classes, in their order; empty: none
  std::vector<std::string> templates;
  double logit_scale = 100;           // times a cosine of rows and names
  const SavedModel* saved = nullptr;  // never changed by a method: one that trains makes a model of its own
  EmbedSetting setting;               // of saved
  // Of methods that train a tower: how often it sees the support at most; 0: by the number of items.
  std::int64_t epochs = 0;
};

class Classifier {
 public:
  virtual ~Classifier() = default;
  // [n, C] fp32, CPU: softmax of them are its probabilities. Does not read labels.
  virtual torch::Tensor logits(const Part& items) const = 0;
  // What load_classifier needs: kind (linear | names | cache | adapter | network), facts, tensors.
  virtual std::string_view kind() const = 0;
  virtual nlohmann::json facts() const = 0;
  virtual TensorMap tensors() const = 0;
};

// How well logits tell the labels of a validation part: the lower cross entropy is better. (Of a few items an
// accuracy is a handful of steps that many settings share; and the scale is each classifier's own affair.)
// Calibrated: a Judgement (evaluation/linear_probe.h) takes the logits as they are.
struct Verdict {
  double accuracy = 0;
  double cross_entropy = std::numeric_limits<double>::infinity();  // at the scale that tells the labels best
  bool better_than(const Verdict& other) const { return cross_entropy < other.cross_entropy; }
};
Verdict judged(const torch::Tensor& logits, const torch::Tensor& labels);

struct Adapted {
  std::unique_ptr<Classifier> classifier;
  nlohmann::json chosen = nlohmann::json::object();   // hyperparameters, as validation chose them
  std::vector<std::pair<double, double>> curve = {};  // of a method that has one (alpha, validation accuracy)
  // What validation said of it, where it learned from validation too after that; none: the classifier can be
  // asked.
  std::optional<Verdict> validated = {};
  double seconds_before = 0;  // of a training that it took over instead of doing it again: part of its cost
};

// Everything is chosen on `validation`. Draws follow from the seed alone.
using FitMethod = Adapted (*)(const AdaptationTask& task, const Part& support, const Part& validation,
                              std::uint64_t seed);
struct MethodKind {
  std::string_view name, meaning;  // one line of help, with the paper
  FitMethod fit;
  bool needs_names = false;    // name_vectors
  bool needs_network = false;  // trains a tower: not for frozen features alone, takes longer
};
const std::vector<MethodKind>& method_kinds();
// Error(usage) listing the kinds there are.
const MethodKind& method_kind(std::string_view name);

// Share of items whose largest logit is at their label; of equal logits the smaller class is the answer.
double accuracy_of(const torch::Tensor& logits, const torch::Tensor& labels);
// Mean cross entropy.
double cross_entropy_of(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace duet
