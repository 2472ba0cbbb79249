// The training run: data in, checkpoints, curves and a model out. Everything from the first step on is a
// function of the resolved recipe and the step, so that a run killed and resumed ends with the same bytes as
// one that was not.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/progress.h"
#include "datasets/loader.h"
#include "evaluation/retrieval.h"
#include "losses/objective.h"
#include "optim/optimizer.h"
#include "run/checkpoint.h"
#include "run/recipe.h"
#include "training/metrics_log.h"
#include "training/sampler.h"

namespace duet {

struct TrainingData {
  Source train;
  std::vector<Source> validation;
};
// Reads, checks and (with data.split) splits. `root` overrides where relative picture paths start. Error(data)
// when more pictures are missing than data.max_bad_fraction allows.
TrainingData read_training_data(const Recipe& recipe, const std::string& root);

struct Best {
  std::int64_t step = 0;
  double metric = 0;
};

struct Rehearsal {
  double seconds_per_step = 0, seconds_per_evaluation = 0, seconds = 0;  // the last: of the rehearsal itself
};

std::uint64_t peak_memory();  // bytes of this process so far

enum class Outcome { finished, interrupted, terminated };

class Trainer {
 public:
  // At the initial state; `run` is a folder that is there.
  Trainer(const Recipe& recipe, TrainingData data, const Tokenizer& tokenizer, std::filesystem::path run,
          torch::Device device, int threads);

  // A few steps and an evaluation from the initial state, timed and thrown away: what minutes are worth on this
  // machine.
  Rehearsal rehearse();
  void set_recipe(const Recipe& recipe);  // the same one with its budget in steps; before run()
  void load(const Sealed& checkpoint);    // goes on from there
  Outcome run();                          // to the end, or until a signal asked to stop (state saved)

 private:
  void build();
  void set_steps();
  void train_step();
  void log_step();
  void tell_cost();
  void evaluate();
  void save();
  void finish();
  [[noreturn]] void fail_non_finite(std::string_view what, double value) const;
  void tell_bad_pictures() const;
  void tell_bad_validation(const Source& split, const BadRows& bad) const;
  bool evaluation_due() const;
  double validation_metric(const std::vector<RetrievalResult>& results) const;
  std::vector<RetrievalResult> evaluate_validation();    // with the averaged weights
  std::vector<RetrievalResult> judge();                  // the model as it stands, in evaluation mode
  nlohmann::ordered_json held_out(const Source& split);  // the objectives on it
  Compute compute(std::uint64_t seed) const;
  EmbedSetting embed_setting();
  TensorMap objective_tensors() const;
  CheckpointContent checkpoint_content() const;
  std::unique_ptr<Loader> make_loader(std::int64_t first, std::int64_t end);

  Recipe recipe_;
  TrainingData data_;
  Tokenizer tokenizer_;
  std::filesystem::path run_;
  torch::Device device_;
  int threads_;
  Precision precision_;
  bool keep_tokens_ = false;  // some objective looks at single tokens
  CorpusStatistics statistics_;
  Sampler sampler_;
  std::shared_ptr<PixelCache> cache_;
  std::string data_fingerprint_;  // of all rows, so that a resumed run notices other data

  std::shared_ptr<Model> model_;
  std::optional<Teachers> teachers_;
  std::vector<std::shared_ptr<Objective>> objectives_;
  std::optional<AdamW> optimizer_;
  std::optional<Ema> ema_;
  std::unique_ptr<Loader> loader_;
  std::optional<MetricsLog> log_;
  std::optional<Progress> bar_;

  std::int64_t step_ = 0, steps_ = 0, first_step_ = 0, last_saved_step_ = -1;
  bool has_judged_ = false;  // what is told of validation pictures was told
  std::optional<Best> best_;
  double loss_ = 0;
  double gradient_norm_ = 0;
  std::map<std::string, std::vector<std::pair<std::string, torch::Tensor>>>
      last_terms_;  // by objective, read on log steps
  std::chrono::steady_clock::time_point started_, last_save_;
};

}  // namespace duet
