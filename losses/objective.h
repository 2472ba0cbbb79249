// The seam of everything that can be trained: an objective says what it needs, and turns an encoded batch into
// a loss. A new one is a file, a row in objective.cpp's table, and a line in CMakeLists.txt.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "encoders/model.h"
#include "losses/encoded_batch.h"
#include "losses/statistics.h"

namespace duet {

struct StepInfo {
  std::int64_t step = 0, steps = 1;
  double progress() const { return static_cast<double>(step) / static_cast<double>(steps); }
};

struct LossTerms {
  torch::Tensor loss;                                          // [] fp32
  std::vector<std::pair<std::string, torch::Tensor>> metrics;  // detached 0-d tensors, read only on log steps
};

// What a batch must hold for an objective. Views are names of [views.NAME] tables.
struct Needs {
  std::vector<std::string> views;
  std::int64_t copies = 1;  // least count of each of these views
  bool texts = false;
  bool mixed_tokens = false;  // a caption tower in which tokens see each other, so no bag of tokens
  bool concepts = false;  // rows share concepts: the sampler should put several pictures of one into a batch
  bool tokens = false;    // sees single tokens of the shared passes; else pooled features and embeddings alone
  bool edits = false;     // encodes what it changed in passes of its own
  bool patches = false;   // a picture tower whose patches may be gathered or replaced
  bool picture_size = false;  // its views are as large as the recipe's pictures
  bool follows = false;  // Batch::follows: documents of several sentences, or pictures with several captions
  // Then GradCache accumulation is exact and keeps the batch's memory small.
  bool pooled_only() const { return !tokens && !edits; }
};

struct Setting {
  std::string where = {};  // "file:line:column" of the objective, for errors
  Model* model = nullptr;
  const CorpusStatistics* statistics = nullptr;  // of the objective's source
  Corpus corpus = {};                            // the same texts themselves
  Teachers* teachers = nullptr;
  std::int64_t batch = 0;  // pairs
  std::int64_t steps = 1;
  Init init{0};  // init / objective name

  // Error(usage) at `where` when the model has no such tower.
  ImageEncoder& image_tower() const;
  TextEncoder& text_tower() const;
};

// The space that an objective trains, as its recipe names it; looked up when the model is there.
struct SpaceChoice {
  std::string name, where;        // "file:line:column" of the key
  Space& of(Model& model) const;  // Error(usage) at `where`: no such space, or one that is not trained
};
SpaceChoice read_space(Config& objective, std::string_view fallback);

class Objective : public torch::nn::Module {  // owns heads and queues; never encoders or twins
 public:
  virtual Needs needs() const = 0;
  virtual LossTerms compute(EncodedBatch& batch, const StepInfo& info) = 0;
  virtual void after_step(const StepInfo&) {}
  // What it learned of words, as a word2vec text file ("COUNT DIMENSION", then a word and its vector a line);
  // "" when that is not what it trains. A finished run keeps it as words-NAME.txt.
  virtual std::string word_vectors() const { return {}; }
};

// Called when the whole recipe is read. Error(usage) when the model lacks what the objective's keys name.
using ObjectiveMaker = std::function<std::shared_ptr<Objective>(const Setting&)>;
struct ObjectiveKind {
  std::string_view name;
  ObjectiveMaker (*read)(Config& config);
};
const std::vector<ObjectiveKind>& objective_kinds();

// One [[objective]] table: kind, name (unique; default the kind), weight (a number, or [start, end] linear over
// the run), from and until (shares of the run in which it is active), and the kind's own keys.
struct ObjectiveSpec {
  std::string kind, name;
  std::string where;             // "file:line:column"
  std::string source = "pairs";  // the data it sees: the pairs, or a [[data.source]]
  double weight_start = 1, weight_end = 1;
  double from = 0, until = 1;
  std::vector<std::pair<double, double>> stages;  // shares of the run, of the stages that name it; empty: all
  ObjectiveMaker make;
  double weight(const StepInfo& info) const;  // 0 outside from..until, and outside its stages
};
// Error(usage) with the key's place: no objective at all, unknown kind, a name used twice, a key out of range,
// a part of the run in which no objective has a weight.
std::vector<ObjectiveSpec> read_objectives(Config& recipe);
// Shares of the run at which an objective begins or ends, ascending; 0 is the first.
std::vector<double> moments_of(const std::vector<ObjectiveSpec>& objectives);
// Error(usage) when no objective has a weight in some part of the run: a step without any loss has no gradient.
void check_always_active(const Config& recipe, const std::vector<ObjectiveSpec>& objectives);

}  // namespace duet
