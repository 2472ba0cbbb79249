#include <algorithm>
#include <csignal>
#include <optional>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "run/checkpoint.h"
#include "tensors/device.h"
#include "training/auto_recipe.h"
#include "training/finish.h"
#include "training/run_tokenizer.h"
#include "training/signals.h"
#include "training/trainer.h"

namespace duet {
namespace {

int exit_code(Outcome outcome, const fs::path& run, const ModelSpec& model) {
  if (outcome == Outcome::finished && !(model.image && model.text.make)) {
    log_info(cat("done: ", run.string(), "; look at ", (run / "report.html").string(),
                 " and start a run of pairs from it: duet train RECIPE ",
                 model.image ? "--init-image " : "--init-text ", run.string()));
    return static_cast<int>(Exit::ok);
  }
  if (outcome == Outcome::finished) {
    const bool found =
        fs::weakly_canonical(run).parent_path() == fs::weakly_canonical("runs");  // by duet search
    log_info(cat("done: ", run.string(), "; look at ", (run / "report.html").string(),
                 " and go on with\n  duet index ", run.string(), " --images DIR\n  duet search \"...\"",
                 found ? "" : cat(" -b ", run.string())));
    return static_cast<int>(Exit::ok);
  }
  log_info(cat("stopped, state saved; go on with: duet train --resume ", run.string()));
  return outcome == Outcome::terminated ? 128 + SIGTERM : 128 + SIGINT;
}

bool moves_data(const std::string& assignment) { return assignment.starts_with("data."); }

Config read_config(const TrainOptions& options) {
  Config config = options.recipe.empty() ? [&] {
    check_for_manifests("--root", !options.root.empty(), {options.data});
    const Source source = read_source({.data = options.data, .root = options.root});
    if (!source.has_pictures())
      fail(Exit::usage, options.data, "holds texts alone, for which no recipe is picked",
           "name it in one: duet train configs/pretrain_text.toml --set data.train=" + options.data);
    return Config::parse(auto_recipe(source, options.data), "recipe picked for " + options.data);
  }()
                                         : Config::read(options.recipe);
  if (!options.root.empty()) config.set(cat("data.root=", options.root));
  if (!options.init_image.empty())
    config.set(cat("train.init_image=", nlohmann::json(options.init_image).dump()));
  if (!options.init_text.empty()) config.set(cat("train.init_text=", nlohmann::json(options.init_text).dump()));
  for (const std::string& assignment : options.sets) config.set(assignment);
  return config;
}

fs::path choose_run(const TrainOptions& options) {
  if (!options.out.empty()) return options.out;
  fs::path named = fs::absolute(options.recipe.empty() ? options.data : options.recipe).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  std::error_code none;
  return fs::path("runs") / (fs::is_directory(named, none) ? named.filename() : named.stem());
}

// Minutes become steps once; from then on the run is a function of the recipe and the step. Evaluations get at
// most a tenth of the time.
Recipe with_steps(Config config, const Recipe& recipe, Trainer& trainer) {
  if (recipe.train.steps > 0 || recipe.train.minutes == 0) return recipe;
  const Rehearsal rehearsal = trainer.rehearse();
  const double seconds = 60 * recipe.train.minutes;
  const auto affordable =
      static_cast<std::int64_t>(0.1 * seconds / std::max(rehearsal.seconds_per_evaluation, 1e-3));
  const std::int64_t evaluations = std::clamp<std::int64_t>(affordable, 1, recipe.train.evaluations);
  const double training =
      seconds - static_cast<double>(evaluations) * rehearsal.seconds_per_evaluation - rehearsal.seconds;
  const auto steps = std::max<std::int64_t>(10, std::llround(training / rehearsal.seconds_per_step));
  log_info(cat(
      recipe.train.minutes, " minutes are ", grouped(steps), " steps of ", recipe.train.batch, " pairs at ",
      grouped(std::llround(static_cast<double>(recipe.train.batch) / rehearsal.seconds_per_step)), " pairs/s"));
  config.set(cat("train.steps=", steps));
  config.set(cat("train.evaluations=", evaluations));
  return read_recipe(config);
}

// The folder of a run that is about to start, locked for this process. What was made of it goes again unless
// the run starts.
class NewRun {
 public:
  explicit NewRun(const fs::path& folder)
      : folder_(folder), is_new_(make_folder(folder)), lock_(folder / ".lock") {
    fs::remove_all(
        checkpoint_folder(folder, 0));  // of a start that was cut off before it was a run (Trainer::run)
  }
  ~NewRun() {
    if (has_started_) return;
    std::error_code ignored;
    for (const char* name : {"tokenizer.model", ".lock"}) fs::remove(folder_ / name, ignored);
    if (is_new_) fs::remove(folder_, ignored);
  }
  NewRun(const NewRun&) = delete;
  NewRun& operator=(const NewRun&) = delete;
  void start() { has_started_ = true; }

 private:
  fs::path folder_;
  bool is_new_, has_started_ = false;
  FileLock lock_;
};

int train_new(const TrainOptions& options) {
  std::optional<EarlySignals> early("\nstopped before the first step: nothing saved yet; start again\n");
  const fs::path run = choose_run(options);
  check_outside_sealed(run);
  if (fs::exists(run) && !fs::is_directory(run))
    fail(Exit::usage, run.string(), "is a file", "choose another --out");
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  if (fs::exists(run / "recipe.toml") || fs::exists(run / "model") || (!steps.empty() && steps.back() > 0)) {
    fail(Exit::usage, run.string(), "a run is there already",
         cat("go on with it (duet train --resume ", run.string(), ") or choose another --out"));
  }
  const Config config = read_config(options);
  Recipe recipe = read_recipe(config);
  // What was read to pick the recipe has been spoken of, unless it is read in another way now.
  recipe.data.train.aloud =
      options.data.empty() || std::any_of(options.sets.begin(), options.sets.end(), moves_data);
  check_groups(recipe);
  const torch::Device device = choose_device(options.device);
  const int threads = set_compute_threads(options.threads);
  TrainingData data = read_training_data(recipe, options.root);
  log_info(cat(grouped(static_cast<std::int64_t>(data.train.pairs.size())),
               data.train.has_pictures() ? " training pictures, " : " training sentences, ", threads,
               " compute threads, ", cpu_kind(), ", ",
               name_of(choose_precision(recipe.train.precision, device))));
  const std::optional<Tokenizer> tokenizer = make_tokenizer(recipe, data);
  NewRun folder(run);
  if (tokenizer) replace_file(run / "tokenizer.model", tokenizer->serialized());
  Trainer trainer(recipe, std::move(data), tokenizer, run, device, threads);
  recipe = with_steps(config, recipe, trainer);
  trainer.set_recipe(recipe);
  folder.start();
  early.reset();
  return exit_code(trainer.run(), run, recipe.model);
}

// The newest checkpoint. Where it is damaged, the message says how to go on from the newest that is whole.
Sealed newest_checkpoint(const fs::path& run, const std::vector<std::int64_t>& steps) {
  try {
    return open_checkpoint(run, steps.back());
  } catch (const Error& error) {
    if (error.exit() != Exit::artifact) throw;
    std::vector<std::string> damaged;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      try {
        open_checkpoint(run, *step);
      } catch (const Error&) {
        damaged.push_back(checkpoint_folder(run, *step).string());
        continue;
      }
      throw Error(Exit::artifact,
                  cat(error.what(), "; or remove ", joined(damaged, " and "), " to go on from step-", *step));
    }
    throw;
  }
}

int train_resumed(const TrainOptions& options) {
  std::optional<EarlySignals> early("\nstopped before its next step: the run is as it was, resume it again\n");
  const fs::path run = options.resume;
  check_outside_sealed(run);
  if (!fs::exists(run / "recipe.toml"))
    fail(Exit::artifact, run.string(), "is no run folder",
         "it holds no recipe.toml; one that was stopped before its first step is started again");
  if (fs::exists(run / "model")) {
    log_info(cat(run.string(), " is finished"));
    return static_cast<int>(Exit::ok);
  }
  const FileLock lock(run / ".lock");
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  if (steps.empty())
    fail(Exit::artifact, run.string(), "holds no checkpoint", "start a new run with its recipe.toml");
  const Sealed checkpoint = newest_checkpoint(run, steps);
  Config config = Config::read(checkpoint.folder / "recipe.toml");
  for (const std::string& assignment : options.sets)
    config.set(assignment);  // where the data is now, and how it is read
  const Recipe recipe = read_recipe(config);
  const torch::Device device = choose_device(options.device);
  const int stored = checkpoint.facts.at("threads").get<int>();
  const int threads = set_compute_threads(options.threads > 0 ? options.threads : stored);
  const fs::path pieces = checkpoint.folder / "tokenizer.model";
  std::optional<Tokenizer> tokenizer;
  if (fs::exists(pieces)) tokenizer.emplace(Tokenizer::load(pieces));
  Trainer trainer(recipe, read_training_data(recipe, options.root), tokenizer, run, device, threads,
                  Start::resumed);
  trainer.load(checkpoint);
  log_info(cat("going on at step ", grouped(steps.back())));
  early.reset();
  return exit_code(trainer.run(), run, recipe.model);
}

}  // namespace

int run_train(const TrainOptions& options) {
  return options.resume.empty() ? train_new(options) : train_resumed(options);
}

}  // namespace duet
