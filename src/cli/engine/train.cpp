#include <algorithm>
#include <csignal>

#include "cli/engine.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "run/checkpoint.h"
#include "tensors/device.h"
#include "training/auto_recipe.h"
#include "training/finish.h"
#include "training/trainer.h"

namespace duet {
namespace {

int exit_code(Outcome outcome, const fs::path& run) {
  if (outcome == Outcome::finished) {
    log_info(cat("done: ", run.string(), "; look at ", (run / "report.html").string(),
                 " and go on with\n  duet index ", run.string(), " --images DIR\n  duet search \"...\""));
    return static_cast<int>(Exit::ok);
  }
  log_info(cat("stopped, state saved; go on with: duet train --resume ", run.string()));
  return outcome == Outcome::terminated ? 128 + SIGTERM : 128 + SIGINT;
}

Config read_config(const TrainOptions& options) {
  Config config = options.recipe.empty() ? [&] {
    const SourceOptions source{.data = options.data, .root = options.root};
    return Config::parse(auto_recipe(read_source(source), options.data), "recipe picked for " + options.data);
  }()
                                         : Config::read(options.recipe);
  if (!options.root.empty()) config.set(cat("data.root=", options.root));
  for (const std::string& assignment : options.sets) config.set(assignment);
  return config;
}

fs::path choose_run(const TrainOptions& options) {
  if (!options.out.empty()) return options.out;
  fs::path named = fs::absolute(options.recipe.empty() ? options.data : options.recipe).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  return fs::path("runs") / named.stem();
}

Tokenizer make_tokenizer(const Recipe& recipe, const Source& train) {
  if (!recipe.tokenizer.model.empty()) return Tokenizer::load(recipe.tokenizer.model);
  return Tokenizer::train(captions_of(train), recipe.tokenizer);
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

int train_new(const TrainOptions& options) {
  const fs::path run = choose_run(options);
  if (fs::exists(run) && !fs::is_directory(run))
    fail(Exit::usage, run.string(), "is a file", "choose another --out");
  if (fs::exists(run / "recipe.toml") || fs::exists(run / "checkpoints") || fs::exists(run / "model")) {
    fail(Exit::usage, run.string(), "a run is there already",
         cat("go on with it (duet train --resume ", run.string(), ") or choose another --out"));
  }
  const Config config = read_config(options);
  Recipe recipe = read_recipe(config);
  const torch::Device device = choose_device(options.device);
  const int threads = set_compute_threads(options.threads);
  TrainingData data = read_training_data(recipe, options.root);
  log_info(cat(grouped(static_cast<std::int64_t>(data.train.pairs.size())), " training pictures, ", threads,
               " compute threads, ", cpu_kind(), ", ",
               name_of(choose_precision(recipe.train.precision, device))));
  const Tokenizer tokenizer = make_tokenizer(recipe, data.train);
  fs::create_directories(run);
  const FileLock lock(run / ".lock");
  replace_file(run / "tokenizer.model", tokenizer.serialized());
  Trainer trainer(recipe, std::move(data), tokenizer, run, device, threads);
  recipe = with_steps(config, recipe, trainer);
  trainer.set_recipe(recipe);
  replace_file(run / "recipe.toml", recipe.toml);
  return exit_code(trainer.run(), run);
}

int train_resumed(const TrainOptions& options) {
  const fs::path run = options.resume;
  if (!fs::exists(run / "recipe.toml"))
    fail(Exit::artifact, run.string(), "is no run folder", "it holds no recipe.toml");
  if (fs::exists(run / "model")) {
    log_info(cat(run.string(), " is finished"));
    return static_cast<int>(Exit::ok);
  }
  const FileLock lock(run / ".lock");
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  const std::optional<Sealed> checkpoint =
      steps.empty() ? std::nullopt : std::optional(open_checkpoint(run, steps.back()));
  const fs::path from = checkpoint ? checkpoint->folder : run;
  Config config = Config::read(from / "recipe.toml");
  for (const std::string& assignment : options.sets)
    config.set(assignment);  // data.* alone: where the data is now
  const Recipe recipe = read_recipe(config);
  const torch::Device device = choose_device(options.device);
  const int stored = checkpoint ? checkpoint->facts.at("threads").get<int>() : 0;
  const int threads = set_compute_threads(options.threads > 0 ? options.threads : stored);
  Trainer trainer(recipe, read_training_data(recipe, options.root), Tokenizer::load(from / "tokenizer.model"),
                  run, device, threads);
  if (checkpoint) trainer.load(*checkpoint);
  log_info(checkpoint ? cat("going on at step ", grouped(steps.back()))
                      : std::string("no checkpoint yet: starting from the beginning"));
  return exit_code(trainer.run(), run);
}

}  // namespace

int run_train(const TrainOptions& options) {
  return options.resume.empty() ? train_new(options) : train_resumed(options);
}

}  // namespace duet
