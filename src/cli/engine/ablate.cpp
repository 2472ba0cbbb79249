#include <csignal>
#include <iostream>
#include <optional>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "cli/guard.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "training/ablation.h"
#include "training/ablation_cost.h"
#include "training/ablation_memory.h"
#include "training/ablation_process.h"
#include "training/ablation_runner.h"
#include "training/ablation_table.h"
#include "training/signals.h"

namespace duet {
namespace {

fs::path results_of(const AblateOptions& options) {
  if (!options.results.empty()) return options.results;
  return fs::path(options.plan).replace_extension(".results.jsonl");
}

// "ablation.results.jsonl" -> "ablation.runs" beside it.
fs::path runs_of(const fs::path& results) {
  return results.parent_path() / (results.stem().stem().string() + ".runs");
}

int stopped(const AblateOptions& options) {
  log_info(cat("stopped; every row that was finished is kept, go on with: duet ablate ", options.plan));
  return 128 + (SignalWatch::received() == SIGTERM ? SIGTERM : SIGINT);
}

RunnerSetting runner_setting(const AblateOptions& options, const fs::path& results) {
  return {.program = fs::read_symlink("/proc/self/exe"),
          .runs = runs_of(results),
          .root = options.root,
          .device = options.device,
          .threads = options.threads,
          .is_aloud = verbosity() == Verbosity::verbose,
          .keep_runs = options.keep_runs};
}

// The folder of runs while it is in use by this process alone.
class RunsFolder {
 public:
  RunsFolder(const fs::path& folder, bool keep) : folder_(folder), keep_(keep) {
    make_folder(folder);
    lock_.emplace(folder / ".lock");
  }
  // What holds no run is removed.
  ~RunsFolder() {
    lock_.reset();
    std::error_code ignored;
    if (keep_) return;
    fs::remove(folder_ / ".lock", ignored);
    fs::remove(folder_, ignored);
  }
  RunsFolder(const RunsFolder&) = delete;
  RunsFolder& operator=(const RunsFolder&) = delete;

 private:
  fs::path folder_;
  bool keep_;
  std::optional<FileLock> lock_;
};

int measure(const AblateOptions& options, const AblationPlan& plan) {
  AblationResults results(results_of(options), plan);
  {
    const RunsFolder folder(runs_of(results.file()), false);
    measure_memory(plan, results, runner_setting(options, results.file()));
  }
  if (SignalWatch::received() != 0) return stopped(options);
  measure_costs(plan, results,
                {.root = options.root,
                 .device = choose_device(options.device),
                 .threads = set_compute_threads(options.threads)});
  return SignalWatch::received() != 0 ? stopped(options) : 0;
}

bool are_known(const AblationPlan& plan, const AblationResults& results) {
  for (const AblationArm& arm : plan.arms) {
    if (!results.cost_of(arm)) return false;
  }
  return true;
}

// In a process of its own: the two models of it would stay in this one's memory.
int measure_apart(const AblateOptions& options) {
  std::vector<std::string> words = {fs::read_symlink("/proc/self/exe").string(),
                                    "ablate",
                                    options.plan,
                                    "--measure",
                                    "--results",
                                    results_of(options).string(),
                                    "--device",
                                    options.device,
                                    "--threads",
                                    cat(options.threads)};
  if (!options.root.empty()) words.insert(words.end(), {"--root", options.root});
  if (verbosity() == Verbosity::quiet) words.emplace_back("-q");
  return run_program(words).code;
}

// The arm that rows of fresh seeds are of, beside the baseline.
std::optional<std::string> confirmed_arm(const AblationPlan& plan, const AblationResults& results) {
  for (const AblationRow& row : results.rows()) {
    if (row.role == "confirm" && row.arm != plan.baseline) return row.arm;
  }
  return std::nullopt;
}

std::string remarks(const AblationPlan& plan) {
  return cat(
      "mean over seeds (standard deviation); minus ", plan.baseline,
      ": the same seeds and queries on both sides, 95 % from 2,000 resamples of both; Holm: p adjusted for all "
      "arms\n");
}

void print_tables(const AblateOptions& options, const AblationPlan& plan, const AblationResults& results) {
  std::vector<AblationTable> tables = {final_table(plan, results)};
  const AblationTable& final = tables.front();
  if (final.arms.empty()) {
    std::cout << "no row yet\n";
  } else {
    std::cout << to_text(final) << remarks(plan);
  }
  const std::optional<std::string> winner = final.is_whole ? winner_of(final) : std::nullopt;
  if (!final.is_whole) {
    std::cout << "some runs are missing: no winner yet (duet ablate " << options.plan << " --dry-run)\n";
  } else {
    std::cout << (winner ? cat("best on ", joined(plan.splits, " and "), ": ", *winner)
                         : cat("no arm is above ", plan.baseline, " on ", joined(plan.splits, " and ")))
              << "\n";
  }
  if (const std::optional<std::string> confirmed = confirmed_arm(plan, results)) {
    tables.push_back(confirm_table(plan, results, *confirmed));
    std::cout << "\non fresh seeds:\n" << to_text(tables.back());
  }
  flush_output();
  if (!options.csv.empty()) replace_file(options.csv, to_csv(tables));
  if (options.latex.empty()) return;
  std::string latex;
  for (const AblationTable& table : tables) latex += cat(latex.empty() ? "" : "\n", to_latex(table));
  replace_file(options.latex, latex);
}

// Nothing: no arm is above the baseline.
std::optional<std::string> choose_winner(const AblateOptions& options, const AblationPlan& plan,
                                         const AblationResults& results) {
  if (plan.confirm_seeds.empty())
    fail(Exit::usage, options.plan, "has no 'confirm_seeds'", "give some fresh ones");
  const AblationTable table = final_table(plan, results);
  if (!table.is_whole)
    fail(Exit::usage, "--confirm", "some runs of the grid are missing",
         cat("duet ablate ", options.plan, " first"));
  const std::optional<std::string> winner = winner_of(table), spent = confirmed_arm(plan, results);
  if (spent && winner != spent)
    fail(Exit::usage, "--confirm", cat("the fresh seeds were spent on '", *spent, "'"),
         "a second arm needs seeds that nobody has looked at: change confirm_seeds and take those rows out");
  return winner;
}

int run_missing(const AblateOptions& options, const AblationPlan& plan, AblationResults& results) {
  const std::optional<std::string> winner =
      options.confirm ? choose_winner(options, plan, results) : std::optional<std::string>();
  bool is_whole = true;
  {
    const RunsFolder folder(runs_of(results.file()), options.keep_runs);
    const AblationRunner runner(plan, runner_setting(options, results.file()));
    set_compute_threads(options.threads);
    if (winner || !options.confirm)
      is_whole = fill(plan, results, winner ? confirm_slots(plan, *winner) : slots_of(plan), runner,
                      [&runner](const AblationRun& run) { runner.remove(run); });
  }
  if (!is_whole) return stopped(options);
  print_tables(options, plan, results);
  return 0;
}

}  // namespace

int run_ablate(const AblateOptions& options) {
  check_out("--csv", options.csv);
  check_out("--latex", options.latex);
  if (!options.table && !options.dry_run) check_out_log("--results", results_of(options));
  const AblationPlan plan = read_ablation_plan(Config::read(options.plan));
  const SignalWatch signals;
  if (options.measure) return measure(options, plan);
  std::optional<AblationResults> results(std::in_place, results_of(options), plan);
  if (options.table) {
    print_tables(options, plan, *results);
    return 0;
  }
  if (options.dry_run || !final_table(plan, *results).is_whole) check_arms(plan);
  if (options.dry_run) {
    std::cout << grid_text(plan, *results);
    return 0;
  }
  if (!are_known(plan, *results)) {
    const int code = measure_apart(options);
    if (SignalWatch::received() != 0 || code == 128 + SIGINT || code == 128 + SIGTERM) return stopped(options);
    if (code != 0) return code;
    results.emplace(results_of(options), plan);
  }
  return run_missing(options, plan, *results);
}

}  // namespace duet
