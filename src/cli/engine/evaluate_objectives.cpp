// duet evaluate RUN --objectives: what each objective has learned, on validation data that it was not trained
// on.
#include <iostream>
#include <numeric>

#include "cli/engine.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/retrieval.h"
#include "retrieval/metrics.h"
#include "run/checkpoint.h"
#include "training/trainer.h"

namespace duet {
namespace {

constexpr std::int64_t kBatches = 20;  // an interval over fewer says little

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The same batches, masks and views on both sides, so that differences are paired.
nlohmann::ordered_json comparison(const std::vector<double>& untrained, const std::vector<double>& trained) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < trained.size(); ++i) differences.push_back(trained[i] - untrained[i]);
  const Interval interval = bootstrap_mean(differences);
  return {{"untrained", mean(untrained)},
          {"trained", mean(trained)},
          {"difference", mean(differences)},
          {"interval", {interval.low, interval.high}},
          {"batches", trained.size()}};
}

void print_line(const std::string& split, const std::string& objective, const std::string& metric,
                const nlohmann::ordered_json& values) {
  const auto padded = [](std::string text, std::size_t width) {
    return text.append(text.size() < width ? width - text.size() : 1, ' ');
  };
  const auto number = [&](const char* key) { return padded(fixed(values[key].get<double>(), 4), 11); };
  std::cout << padded(split, 12) << padded(objective, 22) << padded(metric, 12) << number("untrained")
            << number("trained") << number("difference") << "[" << fixed(values["interval"][0].get<double>(), 4)
            << ", " << fixed(values["interval"][1].get<double>(), 4) << "]\n";
}

// best | last | step-N, of the checkpoints: only these hold what the objectives know.
std::int64_t chosen_step(const fs::path& run, const std::string& which) {
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  if (steps.empty())
    fail(Exit::artifact, run.string(), "keeps no checkpoint",
         "--objectives needs the run's folder as it was trained");
  const nlohmann::json best = open_checkpoint(run, steps.back()).facts.at("best");
  if (which == "best" && !best.is_null()) return best.at("step").get<std::int64_t>();
  if (which == "best" || which == "last") return steps.back();
  std::vector<std::string> names = {"best", "last"};
  for (const std::int64_t step : steps) {
    names.push_back(cat("step-", step));
    if (names.back() == which) return step;
  }
  fail(Exit::usage, "--checkpoint", cat("'", which, "' is not there"), cat("there are ", joined(names)));
}

}  // namespace

int evaluate_objectives(const EvaluateOptions& options) {
  const fs::path run = options.run;
  if (!options.data.empty() || !options.captions.empty())
    fail(Exit::usage, "--objectives", "are judged on the recipe's validation data",
         "leave out --data and --captions");
  const std::int64_t step = chosen_step(run, options.checkpoint);
  const Sealed checkpoint = open_checkpoint(run, step);
  const Recipe recipe = read_recipe(Config::read(checkpoint.folder / "recipe.toml"));
  std::optional<Tokenizer> tokenizer;
  if (const fs::path pieces = checkpoint.folder / "tokenizer.model"; fs::exists(pieces))
    tokenizer.emplace(Tokenizer::load(pieces));
  Trainer trainer(recipe, read_training_data(recipe, options.root), tokenizer, run,
                  choose_device(options.device), set_compute_threads(options.threads), Start::resumed);
  const auto untrained = trainer.judge_objectives(kBatches);
  trainer.load(checkpoint);
  const auto trained = trainer.judge_objectives(kBatches);
  if (trained.empty())
    fail(Exit::usage, run.string(), "has no validation data",
         "set data.validation or data.split in its recipe");
  nlohmann::ordered_json all = {{"schema_version", 1}, {"step", step}};
  if (!options.json)
    std::cout << "split       objective             metric      untrained  trained    difference [95 % over "
                 "batches]\n";
  for (const auto& [split, objectives] : trained) {
    for (const auto& [objective, metrics] : objectives) {
      for (const auto& [metric, values] : metrics) {
        all[split][objective][metric] = comparison(untrained.at(split).at(objective).at(metric), values);
        if (!options.json) print_line(split, objective, metric, all[split][objective][metric]);
      }
    }
  }
  if (options.json) std::cout << json_text(all);
  return 0;
}

}  // namespace duet
