// duet fewshot RUN: methods that learn classes from a handful of items, on the same splits, in one table.
#include <algorithm>
#include <csignal>
#include <iostream>
#include <optional>
#include <set>

#include "adaptation/classifiers.h"
#include "adaptation/few_shot.h"
#include "adaptation/few_shot_table.h"
#include "cli/engine.h"
#include "cli/engine/adapting.h"
#include "cli/engine/run_setting.h"
#include "cli/guard.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "evaluation/shared_items.h"
#include "training/signals.h"

namespace duet {
namespace {

const std::vector<std::int64_t> kShots = {1, 2, 4, 8, 16};
constexpr std::int64_t kSeeds = 10;
constexpr const char* kAll = "all";

bool replays(const FewShotOptions& options) {
  std::error_code none;
  return !options.splits.empty() && fs::is_regular_file(options.splits, none);
}

// Refused before the work, not after it.
void check_outs(const FewShotOptions& options) {
  check_out("--csv", options.csv);
  check_out("--latex", options.latex);
  check_out("--report", options.report);
  check_out_log("--results", options.results);
  if (!replays(options)) check_out("--splits", options.splits);
  check_kept_folder(options.out);
}

// What was asked for, in the order of the table of methods.
FewShotPlan methods_of(const FewShotOptions& options) {
  FewShotPlan plan;
  bool all = false;
  for (const std::string& name : options.methods) {
    if (name == kAll) {
      all = true;
    } else {
      method_kind(name);
    }
  }
  plan.by_name = !options.methods.empty() && !all;
  for (const MethodKind& kind : method_kinds()) {
    const bool is_named =
        std::find(options.methods.begin(), options.methods.end(), kind.name) != options.methods.end();
    if (is_named || all || (options.methods.empty() && !kind.needs_network)) plan.methods.push_back(&kind);
  }
  return plan;
}

// Epochs are those of a training.
void check_epochs(const FewShotOptions& options, const FewShotPlan& plan) {
  if (options.epochs == 0 ||
      std::ranges::any_of(plan.methods, [](const MethodKind* kind) { return kind->needs_network; }))
    return;
  std::vector<std::string> able;
  for (const MethodKind& kind : method_kinds())
    if (kind.needs_network) able.emplace_back(kind.name);
  fail(Exit::usage, "--epochs", "no method of this study trains a tower",
       cat("leave it out, or name one by --methods: ", joined(able, ", ")));
}

// What differences are from is one of the rows.
void check_against(const FewShotOptions& options, const FewShotBench& bench, const FewShotPlan& plan) {
  if (options.against.empty()) return;
  if (options.against == kZeroShot) {
    if (bench.task().name_vectors.defined()) return;
    fail(Exit::usage, "--against", "there is no zero-shot of this model and these items",
         "name one of the methods");
  }
  const MethodKind* kind = &method_kind(options.against);
  if (std::find(plan.methods.begin(), plan.methods.end(), kind) == plan.methods.end())
    fail(Exit::usage, "--against", cat("'", options.against, "' is none of the methods of this study"),
         "name it by --methods, too");
}

FewShotData read_data(const FewShotOptions& options) {
  check_for_manifests(options.root, options.labels, given({options.data, options.test}));
  Labelled items = read_items(options.data, options.root, options.labels);
  if (options.test.empty()) return few_shot_data(std::move(items), options.test_share);
  Labelled test = read_items(options.test, options.root, options.labels);
  warn_of_contradictions(test);
  warn_of_missing_concepts({&items, &test});
  return few_shot_data(std::move(items), std::move(test), options.leave_out_shared);
}

// Those of the file that were asked for.
std::vector<FewShotSplit> replayed(const FewShotOptions& options, FewShotData& data) {
  if (options.leave_out_small) keep_classes(data, classes_of_splits(options.splits));
  FewShotSplits kept = read_splits(options.splits, data.items, data.test());
  check_replayed(data, kept, options.splits);
  data.pool = std::move(kept.pool);
  for (const std::int64_t shots : options.shots) {
    if (std::none_of(kept.splits.begin(), kept.splits.end(),
                     [&](const FewShotSplit& split) { return split.shots == shots; }))
      fail(Exit::usage, "--shots", cat(options.splits, " has no splits of ", shots, " shots"),
           "leave --shots out, or name another file by --splits");
  }
  std::set<std::uint64_t> seeds;
  for (const FewShotSplit& split : kept.splits) seeds.insert(split.seed);
  if (options.seeds > static_cast<std::int64_t>(seeds.size()))
    fail(Exit::usage, "--seeds", cat(options.splits, " has splits of ", seeds.size(), " seeds"),
         "leave --seeds out, or name another file by --splits");
  if (options.seeds > 0) seeds.erase(std::next(seeds.begin(), options.seeds), seeds.end());
  std::erase_if(kept.splits, [&](const FewShotSplit& split) {
    const bool is_asked = options.shots.empty() || std::find(options.shots.begin(), options.shots.end(),
                                                             split.shots) != options.shots.end();
    return !is_asked || !seeds.contains(split.seed);
  });
  for (const FewShotSplit& split : kept.splits) {
    const std::int64_t wanted = static_cast<std::int64_t>(data.classes().size()) *
                                validation_shots(split.shots, options.validation_share);
    if (options.validation_share > 0 && static_cast<std::int64_t>(split.validation.size()) != wanted)
      fail(Exit::usage, "--validation-share",
           cat(options.splits, " has ", split.validation.size(), " items to choose on beside ", split.shots,
               " shots, not ", wanted),
           "leave --validation-share out, or name another file by --splits");
  }
  log_info(cat(options.splits, ": ", kept.splits.size(), " splits are replayed"));
  return std::move(kept.splits);
}

std::vector<FewShotSplit> drawn(const FewShotOptions& options, FewShotData& data) {
  const std::vector<std::int64_t>& shots = options.shots.empty() ? kShots : options.shots;
  const std::int64_t seeds = options.seeds == 0 ? kSeeds : options.seeds;
  if (options.leave_out_small) leave_out_small(data, shots.back(), seeds, options.validation_share);
  return make_splits(data.items, data.pool, shots, seeds, options.validation_share);
}

void compute_features(const FewShotOptions& options, const SavedModel& saved, const EmbedSetting& setting,
                      FewShotData& data) {
  const fs::path cache = cache_folder(options.run);
  data.features = features_of(setting, saved, data.items, cache);
  warn_bad_pictures(data.items.source, data.features.bad);
  if (data.own_test) {
    data.own_test_features = features_of(setting, saved, *data.own_test, cache);
    warn_bad_pictures(data.own_test->source, data.own_test_features.bad);
  }
  drop_unreadable(data);
}

// Of most shots and the first seed: what --save keeps.
const FewShotSplit& largest(const std::vector<FewShotSplit>& splits) {
  return *std::max_element(splits.begin(), splits.end(), [](const FewShotSplit& a, const FewShotSplit& b) {
    return a.shots != b.shots ? a.shots < b.shots : a.seed > b.seed;
  });
}

TaskNames names_of(const FewShotOptions& options) {
  return {.file = options.class_names, .templates = options.templates, .cache = cache_folder(options.run)};
}

AdaptationTask task_of(const FewShotOptions& options, const SavedModel& saved, const EmbedSetting& setting,
                       const FewShotData& data) {
  AdaptationTask task = adaptation_task(saved, setting, data.classes(),
                                        compares_names(saved, holds_pairs(data.items)), names_of(options));
  task.setting.progress = false;  // a fit is a step of the bar
  task.epochs = options.epochs;
  return task;
}

// "" where nothing may be added to the run: then rows are kept in memory alone.
fs::path results_of(const FewShotOptions& options, const FewShotBench& bench, const FewShotPlan& plan) {
  if (!options.results.empty()) return options.results;
  if (cache_folder(options.run).empty()) {
    log_warning(
        cat(options.run, " takes no files: what is found is lost when this is stopped (--results FILE)"));
    return {};
  }
  const fs::path folder = fs::path(options.run) / "fewshot";
  make_folder(folder);
  const fs::path data = fs::path(options.data).lexically_normal();
  const std::string stem = data.has_filename() ? data.stem().string() : data.parent_path().stem().string();
  const std::string epochs = options.epochs > 0 ? cat("-", options.epochs, "-epochs") : "";
  return folder / cat(stem, "-", bench.identity("", largest(plan.splits)).substr(0, 8), epochs, ".jsonl");
}

std::vector<const FewShotRow*> rows_of(const FewShotBench& bench, const FewShotPlan& plan,
                                       const FewShotResults& results) {
  std::vector<const FewShotRow*> rows;
  const auto add = [&](std::string_view method, const FewShotSplit& split) {
    if (const FewShotRow* row = results.find(method, split.shots, split.seed, bench.identity(method, split)))
      rows.push_back(row);
  };
  add(kZeroShot, {});
  for (const FewShotSplit& split : plan.splits) {
    for (const MethodKind* method : plan.methods) add(method->name, split);
  }
  return rows;
}

std::string count_text(const FewShotData& data) {
  return cat(grouped(data.items.size()), data.items.texts ? " texts" : " pictures", ", ", data.classes().size(),
             " classes; asked: ", grouped(static_cast<std::int64_t>(data.pool.test.size())));
}

void write_report(const FewShotOptions& options, const SavedModel& saved, const FewShotData& data,
                  const FewShotTable& table) {
  Page page = page_of(table);
  page.facts = {{"run", options.run},
                {"model", saved.identity},
                {"data", options.data},
                {"test", options.test.empty() ? cat("a share of the data: ", fixed(options.test_share, 2))
                                              : options.test},
                {"items", count_text(data)}};
  replace_file(options.report, to_html(page));
  log_info(cat("wrote ", options.report));
}

// stdout alone; files come after it, each for itself.
void print(const FewShotOptions& options, const SavedModel& saved, const FewShotData& data,
           const FewShotTable& table) {
  if (options.json) {
    nlohmann::json json = {{"schema_version", 1},
                           {"model", saved.identity},
                           {"data", options.data},
                           {"test", options.test},
                           {"classes", data.classes()}};
    json.update(to_json(table));
    std::cout << json_text(json);
  } else {
    std::cout << to_text(table, !options.against.empty());
  }
  flush_output();
}

// Nothing of it was chosen by the test, which has its row in the table.
void save(const FewShotOptions& options, const SavedModel& saved, const FewShotBench& bench,
          const FewShotPlan& plan) {
  const FewShotSplit& split = largest(plan.splits);
  FewShotFit fit = bench.fit(*plan.methods.front(), split);
  const bool falls_back = fit.falls_back && options.fallback;
  SavedClassifier kept{
      .classifier = falls_back ? zero_shot_classifier(bench.task()) : std::move(fit.adapted.classifier),
      .method = falls_back ? kZeroShot : std::string(plan.methods.front()->name),
      .classes = bench.data().classes(),
      .items = kind_of_items(bench.data().items)};
  // Of what a classifier has learned from, it is too sure.
  if (falls_back || !fit.adapted.validated) {
    const Part validation = bench.labelled(split.validation);
    kept.calibration = calibrated_scale(kept.classifier->logits(validation), validation.labels);
  }
  if (falls_back)
    log_warning(cat("zero-shot did better on validation than ", plan.methods.front()->name,
                    ": it is what was saved (--no-fallback)"));
  keep_classifier(options.out, kept, saved, options.run,
                  cat(split.shots, split.shots == 1 ? " shot" : " shots", ", seed ", split.seed));
}

int stopped(const FewShotResults& results) {
  log_info(results.file().empty() ? std::string("stopped")
                                  : cat("stopped; every row that was finished is kept in ",
                                        results.file().string(), ", go on with the same command"));
  return 128 + (SignalWatch::received() == SIGTERM ? SIGTERM : SIGINT);
}

}  // namespace

int run_fewshot(const FewShotOptions& options) {
  check_outs(options);
  FewShotPlan plan = methods_of(options);
  check_epochs(options, plan);
  std::optional<EarlySignals> early(std::in_place, "\nstopped before the first fit: nothing to keep\n");
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  check_takes_names(names_of(options), saved, options.run, !options.labels.second_column.empty());
  EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction);
  set_compute_threads(options.threads);
  setting.progress = true;
  FewShotData data = read_data(options);
  const bool is_replay = replays(options);
  plan.splits = is_replay ? replayed(options, data) : drawn(options, data);
  compute_features(options, saved, setting, data);
  if (is_replay) {
    check_readable(data, plan.splits);
  } else if (!data.features.bad.empty()) {
    plan.splits = drawn(options, data);
  }
  if (!is_replay && !options.splits.empty())
    write_splits(options.splits, data.items, data.test(), {.pool = data.pool, .splits = plan.splits});
  const FewShotBench bench(data, task_of(options, saved, setting, data), saved.identity);
  plan = usable(bench, std::move(plan));
  check_against(options, bench, plan);
  early.reset();
  const SignalWatch signals;
  FewShotResults results(results_of(options, bench, plan));
  log_info(count_text(data));
  if (!run_few_shot(bench, plan, results, [] { return SignalWatch::received() != 0; })) return stopped(results);
  std::vector<std::string> methods;
  for (const MethodKind* method : plan.methods) methods.emplace_back(method->name);
  const FewShotTable table =
      few_shot_table(rows_of(bench, plan, results), methods, data.test_groups(), options.fallback,
                     options.against.empty() ? kZeroShot : options.against);
  print(options, saved, data, table);
  write_all({[&] {
               if (!options.csv.empty()) replace_file(options.csv, to_csv(table));
             },
             [&] {
               if (!options.latex.empty()) replace_file(options.latex, to_latex(table));
             },
             [&] {
               if (!options.report.empty()) write_report(options, saved, data, table);
             },
             [&] {
               if (!options.out.empty()) save(options, saved, bench, plan);
             }});
  return 0;
}

}  // namespace duet
