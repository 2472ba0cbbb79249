// The seam of everything that can be trained: an objective says what it needs, and turns an encoded batch into
// a loss. A new one is a file, a row in objective.cpp's table, and a line in CMakeLists.txt.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
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
  bool follows = false;     // Batch::follows: documents of several sentences, or pictures with several captions
  std::int64_t pieces = 0;  // that its source's texts hold, different ones, at least
  // Then GradCache accumulation is exact and keeps the batch's memory small.
  bool pooled_only() const { return !tokens && !edits; }
};

// The recipe around an [[objective]], as far as objectives ask for it: what they cannot do with is refused
// while they are read, before anything is made.
struct Surroundings {
  const ModelSpec* model = nullptr;
  std::int64_t batch = 0;  // pairs
  std::map<std::string, std::int64_t> view_sizes =
      {};  // pixels; a view that is not there is of the pictures' size

  // Error(usage) at the objective's line when the recipe has no such tower.
  const ImageEncoderSpec& image(const Config& objective) const;
  const TextEncoderSpec& text(const Config& objective) const;
  std::int64_t size_of(const std::string& view) const;
};

// The name of the space that an objective trains, key space. Error(usage) at the key: no such space, or one
// that is not trained.
std::string read_space(Config& objective, const Surroundings& around, std::string_view fallback);

// What an objective is made of.
struct Setting {
  Model* model = nullptr;
  const CorpusStatistics* statistics = nullptr;  // of the objective's source
  Corpus corpus = {};                            // the same texts themselves
  Teachers* teachers = nullptr;
  Init init{0};  // init / objective name
};

class Objective : public torch::nn::Module {  // owns heads and queues; never encoders or twins
 public:
  virtual LossTerms compute(EncodedBatch& batch, const StepInfo& info) = 0;
  virtual void after_step(const StepInfo&) {}
  // What it learned of words, as a word2vec text file ("COUNT DIMENSION", then a word and its vector a line);
  // "" when that is not what it trains. A finished run keeps it as words-NAME.txt.
  virtual std::string word_vectors() const { return {}; }
};

// What reading an [[objective]] comes to.
struct ObjectivePlan {
  Needs needs;
  std::function<std::shared_ptr<Objective>(const Setting&)> make;
  // Error(usage) at the objective's line when these texts do not do for what it counts in them; null: nothing.
  std::function<void(const Corpus&)> check_texts = {};
};
struct ObjectiveKind {
  std::string_view name;
  ObjectivePlan (*read)(Config& config, const Surroundings& around);
};
const std::vector<ObjectiveKind>& objective_kinds();

// One [[objective]] table: kind, name (unique; default the kind), weight (a number, or [start, end] linear over
// the run), from and until (shares of the run in which it is active), and the kind's own keys.
struct ObjectiveSpec : ObjectivePlan {
  std::string kind, name;
  std::string where;             // "file:line:column"
  std::string source = "pairs";  // the data it sees: the pairs, or a [[data.source]]
  double weight_start = 1, weight_end = 1;
  double from = 0, until = 1;
  std::vector<std::pair<double, double>> stages;  // shares of the run, of the stages that name it; empty: all
  double weight(const StepInfo& info) const;      // 0 outside from..until, and outside its stages
};
// Error(usage) with the key's place: no objective at all, unknown kind, a name used twice, a key out of range
// or that does not go with what is around it, a part of the run in which no objective has a weight.
std::vector<ObjectiveSpec> read_objectives(Config& recipe, const Surroundings& around);
// Shares of the run at which an objective begins or ends, ascending; 0 is the first.
std::vector<double> moments_of(const std::vector<ObjectiveSpec>& objectives);
// Error(usage) when no objective has a weight in some part of the run: a step without any loss has no gradient.
void check_always_active(const Config& recipe, const std::vector<ObjectiveSpec>& objectives);

}  // namespace duet
