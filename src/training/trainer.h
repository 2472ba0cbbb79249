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
#include "training/feed.h"
#include "training/held_out.h"
#include "training/metrics_log.h"
#include "training/objectives.h"
#include "training/training_data.h"

namespace duet {

struct Best {
  std::int64_t step = 0;
  double metric = 0;
};

struct Rehearsal {
  double seconds_per_step = 0, seconds_per_evaluation = 0, seconds = 0;  // the last: of the rehearsal itself
};

std::uint64_t peak_memory();  // bytes of this process so far

enum class Outcome { finished, interrupted, terminated };
enum class Start { initial, resumed };  // resumed: what is loaded replaces all, towers are not taken over again

class Trainer {
 public:
  // At the initial state; `run` is a folder that is there. No tokenizer: pictures alone.
  Trainer(const Recipe& recipe, TrainingData data, std::optional<Tokenizer> tokenizer,
          std::filesystem::path run, torch::Device device, int threads, Start start = Start::initial);
  Trainer(const Trainer&) = delete;  // what it is fed with points into it
  Trainer& operator=(const Trainer&) = delete;

  // A few steps and an evaluation from the initial state, timed and thrown away: what minutes are worth on this
  // machine.
  Rehearsal rehearse();
  void set_recipe(const Recipe& recipe);  // the same one with its budget in steps; before run()
  void load(const Sealed& checkpoint);    // goes on from there
  // How the objectives do on held-out data as the run stands: split or source -> objective -> metric -> its
  // value in each of `batches` batches or more.
  std::map<std::string, HeldOutBatches> judge_objectives(std::int64_t batches);
  Outcome run();  // to the end, or until a signal asked to stop (state saved)

 private:
  void build(Start start);
  std::map<std::string, SourceFacts> read_texts() const;
  SourceFacts facts_of(const Source& source) const;
  torch::Tensor seen_pieces() const;  // [V] bool
  void set_steps();
  double rehearse_from(double share);  // of the run -> seconds per step
  void train_step();
  bool shows_plain_main(const StepInfo& info) const;
  bool log_due() const;
  void log_step();
  void tell_cost();
  void evaluate();
  void save();
  void finish();
  [[noreturn]] void fail_non_finite(std::string_view what, double value) const;
  void tell_bad_validation(const Source& split, const BadRows& bad) const;
  bool evaluation_due() const;
  double validation_metric(const std::vector<RetrievalResult>& results,
                           const std::vector<HeldOutMetrics>& held_out);
  bool is_better(double metric) const;
  std::vector<RetrievalResult> evaluate_validation();  // with the averaged weights
  std::vector<RetrievalResult> judge();                // the model as it stands; nothing for a tower alone
  HeldOutSetting held_out_setting(const std::string& source);
  std::string unit() const;  // what a row of the data is
  Compute compute(std::uint64_t seed) const;
  EmbedSetting embed_setting();
  TensorMap objective_tensors() const;
  CheckpointContent checkpoint_content() const;
  const Tokenizer* tokenizer() const { return tokenizer_ ? &*tokenizer_ : nullptr; }

  Recipe recipe_;
  TrainingData data_;
  std::optional<Tokenizer> tokenizer_;
  std::filesystem::path run_;
  torch::Device device_;
  int threads_;
  Precision precision_;
  bool keep_tokens_ = false;  // some objective looks at single tokens
  std::map<std::string, SourceFacts> sources_;
  Feed feed_;
  std::string data_fingerprint_;  // of all rows, so that a resumed run notices other data

  std::shared_ptr<Model> model_;
  std::optional<Teachers> teachers_;
  std::vector<std::shared_ptr<Objective>> objectives_;
  std::optional<AdamW> optimizer_;
  std::optional<Ema> ema_;
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
