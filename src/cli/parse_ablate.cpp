// ablate.
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

void add_ablate(Grammar& grammar) {
  const auto options = std::make_shared<AblateOptions>();
  CLI::App& app =
      add_command(grammar.app, grammar, "ablate", "Train and judge",
                  "train a grid of recipes and seeds at equal cost, and tell which differences are real",
                  {{"what would be run", "duet ablate configs/ablation.toml --dry-run"},
                   {"run what is missing, then the table; stopped, it goes on where it was",
                    "duet ablate configs/ablation.toml"},
                   {"the same table for a spreadsheet and a paper",
                    "duet ablate configs/ablation.toml --table --csv table.csv --latex table.tex"},
                   {"the winner against the baseline, once, on fresh seeds",
                    "duet ablate configs/ablation.toml --confirm"}});
  add_value(app, "PLAN", options->plan, "FILE", "arms, seeds and budget, a TOML file (docs/ablation.md)")
      ->required();
  add_value(app, "--results", options->results, "FILE",
            "a row a run, kept and gone on with (default: NAME.results.jsonl beside the plan)");
  add_switch(app, "--dry-run", options->dry_run,
             "print the grid, its steps and how long it takes; run nothing");
  add_switch(app, "--measure", options->measure,
             "measure what a step of each arm costs and its memory, and stop");
  add_switch(app, "--table", options->table, "print the table of the rows there are; run nothing");
  add_switch(app, "--confirm", options->confirm,
             "run the winner and the baseline on confirm_seeds, when all else is there");
  add_value(app, "--csv", options->csv, "FILE", "write every number as CSV");
  add_value(app, "--latex", options->latex, "FILE", "write the table as LaTeX (booktabs)");
  add_switch(app, "--keep-runs", options->keep_runs, "keep the folder of each run, beside the results");
  add_root(app, options->root);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback([&grammar, options] {
    if (options->dry_run + options->measure + options->table + options->confirm > 1)
      fail(Exit::usage, "duet ablate", "--dry-run, --measure, --table and --confirm exclude each other",
           "give one of them, or none");
    if ((options->dry_run || options->measure) && !(options->csv.empty() && options->latex.empty()))
      fail(Exit::usage, "duet ablate", "there is no table to write with --dry-run and --measure",
           "leave out --csv and --latex");
    grammar.command = *options;
  });
}

}  // namespace duet
