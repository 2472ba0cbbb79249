// A recipe read whole: every table of the TOML file checked, every default in place, nothing allocated yet.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "datasets/augment.h"
#include "datasets/loader.h"
#include "datasets/source.h"
#include "encoders/model.h"
#include "losses/objective.h"
#include "optim/optimizer.h"
#include "text/tokenizer.h"

namespace duet {

struct NamedSource {
  std::string name;  // of the split: "val"
  SourceOptions options;
};

// Data beside the pairs, seen by objectives that name it: [[data.source]].
struct SideSource {
  std::string name;
  std::string where = {};  // "file:line:column"
  SourceOptions options;
  std::string validation;  // what is held out of it for metrics; "": nothing
  double share = 0;        // of the steps, while all sources are wanted
};

struct DataSpec {
  SourceOptions train;  // [data] train, root, format, captions, ...
  std::vector<SideSource> beside;
  std::vector<NamedSource> validation;     // [data] validation = ["val.tsv", "novel=val_novel.tsv"]
  double train_share = 1;                  // this much of the training pairs, in whole concepts: few labels
  double split = 0;                        // without validation: this share of the concepts is split off
  std::vector<std::string> query_columns;  // caption columns that are queries in evaluation; empty: all
  LoaderOptions loader;
  CaptionOptions captions;
};

// One part of the run, with objectives and a learning rate of its own: [[stage]]. Warm-up and decay are the
// stage's.
struct StageSpec {
  std::string name;
  double begin = 0, end = 1;  // shares of the run
  double lr_scale = 1;        // of train.lr
};

double pairs_share(const DataSpec& data);  // of the steps: what the sources beside them leave

struct TrainSpec {
  std::int64_t batch = 256;
  std::int64_t micro_batch = 0;  // GradCache chunks; 0: the whole batch at once
  std::int64_t per_concept = 1;  // pictures of one concept that the sampler puts into a batch together
  // The budget: one of the three is above 0. A run's own recipe has steps instead of minutes; those that
  // earlier versions saved have both, and steps win.
  std::int64_t steps = 0;
  double epochs = 0, minutes = 0;
  std::string precision = "auto";  // auto | fp32 | bf16
  std::int64_t log_every = 20;     // steps
  std::int64_t evaluations = 8;    // over the run, evenly, the end included; each saves a checkpoint
  double checkpoint_minutes = 5;   // and one at least this often
  std::int64_t keep = 2;           // newest checkpoints kept, beside the best
  // Chooses the best checkpoint, mean over the validation sets: recall_at_1 | recall_at_5 | recall_at_10, text
  // to image; loss, of the objectives: what there is for a tower alone.
  std::string metric = "recall_at_1";
  std::string init_image, init_text;  // runs whose tower this one starts with; "": at random
  OptimizerOptions optimizer;
};

struct Recipe {
  std::uint64_t seed = 1;
  DataSpec data;
  TokenizerOptions tokenizer;
  ModelSpec model;
  Preprocessing preprocessing;
  std::vector<ViewSpec> views;  // those that an objective asks for
  std::vector<ObjectiveSpec> objectives;
  TrainSpec train;
  std::vector<StageSpec> stages;  // in order, from 0 to 1; one where the recipe names none
  std::string toml;               // the document, --set applied; of its comments the one that it opens with
};

// "val.tsv" or "NAME=val.tsv", read as `like` is: one name for training, evaluation and results.json.
// Error(usage) when the name is taken by one of `others` or by a key of results.json and metrics.jsonl.
NamedSource named_source(const std::string& entry, const SourceOptions& like,
                         const std::vector<std::string>& others);

const StageSpec& stage_at(const Recipe& recipe, std::int64_t step, std::int64_t steps);
// Share of train.lr at a step: the schedule of the stage that it lies in.
double lr_share_of(const Recipe& recipe, std::int64_t step, std::int64_t steps);

// Data that a recipe names. Error(data) that says where a recipe's paths start when there is nothing at this
// one.
Source read_recipe_source(const SourceOptions& options, bool need_captions = true);

// Error(usage) with file, line and column. Reads all tables, then refuses keys that nobody read, and objectives
// that need what the recipe lacks.
Recipe read_recipe(Config config);

}  // namespace duet
