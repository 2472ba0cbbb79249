#include "cli/engine/class_answers.h"

#include <numeric>
#include <utility>

#include "adaptation/classifiers.h"
#include "adaptation/few_shot_data.h"
#include "cli/engine/adapting.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "evaluation/features.h"
#include "evaluation/probe.h"
#include "evaluation/robustness.h"
#include "evaluation/validation_part.h"

namespace duet {
namespace {

constexpr double kValidationShare = .2;  // of --train, where there is no --validation
constexpr std::uint64_t kSeed = 1;       // of trainings

Seen select(const Seen& seen, const std::vector<std::int64_t>& rows) {
  const torch::Tensor index = torch::tensor(rows, torch::kLong);
  const auto picked = [&](const torch::Tensor& all) {
    return all.defined() ? all.index_select(0, index) : all;
  };
  return {seen.name, subset(seen.items, rows), picked(seen.tower), picked(seen.rows)};
}

Seen without(const BadRows& bad, Seen seen) {
  if (bad.empty()) return seen;
  const Source& source = seen.items.source;
  warn_bad_pictures(source, bad);
  const std::vector<std::int64_t> good = readable_rows(source, bad);
  if (good.empty()) fail(Exit::data, source.manifest.string(), "no picture can be read");
  return select(seen, good);
}

Seen see(const Evaluation& run, std::string name, Labelled items) {
  const Features features = features_of(run.setting, *run.saved, items, run.cache);
  return without(features.bad, {std::move(name), std::move(items), features.tower, features.rows});
}

Seen open_only(const Evaluation& run, std::string name, Labelled items) {
  if (items.texts) return {std::move(name), std::move(items), {}, {}};
  const BadRows bad = unreadable_pictures(run.setting, items.source);
  return without(bad, {std::move(name), std::move(items), {}, {}});
}

// look: see or open_only
Learned looked_at(const Evaluation& run, const LearnedItems& items, decltype(see)& look) {
  const Seen all = look(run, "train", items.train);
  if (items.validation) return {all, look(run, "validation", *items.validation)};
  const ValidationPart part = split_off_validation(all.items, kValidationShare);
  return {select(all, part.train), select(all, part.validation)};
}

void check_has_names(const Evaluation& run) {
  const char* remedy = "learn the classes: --task knn|linear_probe|ridge --train PATH";
  if (run.saved->recipe.model.spaces.empty() && !run.options.labels.texts)
    fail(Exit::usage, "--task zero_shot",
         cat(run.run, " is one tower, which compares no picture with the name of a class"), remedy);
  if (!run.options.labels.second_column.empty())
    fail(Exit::usage, "--task zero_shot", "pairs of texts have no place beside the name of a class", remedy);
  run.saved->texts();
}

Evaluation loaded(const EvaluateOptions& options, const std::string& run) {
  const auto saved =
      std::make_shared<const SavedModel>(load_saved_model(run, options.checkpoint, options.device));
  if (options.labels.texts)
    saved->texts();
  else
    saved->pictures();
  Evaluation evaluation{
      .options = options,
      .run = run,
      .task = {},
      .saved = saved,
      .setting = embed_setting_of(*saved, options.batch, options.max_bad_fraction, options.threads),
      .cache = cache_folder(run)};
  evaluation.setting.progress = true;
  return evaluation;
}

// For a task that trains a tower, where no other one reads them.
void check_takes_names(const Evaluation& run) {
  const EvaluateOptions& options = run.options;
  check_takes_names({.file = options.class_names, .templates = options.templates}, *run.saved, run.run,
                    !options.labels.second_column.empty());
}

Evaluation with_task(Evaluation evaluation, const std::string& task) {
  evaluation.task = task;
  if (!learns(task)) check_has_names(evaluation);
  return evaluation;
}

std::vector<Answered> answer_zero_shot(const Evaluation& run, const std::vector<NamedSplit>& splits) {
  const std::vector<std::string> templates = read_templates(run.options.templates);
  const double scale = logit_scale_of(*run.saved->model);
  std::vector<Answered> all;
  for (const auto& [split, names, validation] : splits) {
    const NameVectors vectors = name_vectors(run.setting, *run.saved, names, templates, run.cache);
    Answered one{.asked = see(run, split.name, split.items),
                 .data = split.data,
                 .logits = {},
                 .chosen = {{"templates", templates.size()}, {"scale", scale}},
                 .ask = {},
                 .kept = {}};
    one.ask = [vectors, scale](const Seen& items) {
      return name_logits(rows_beside_names(items.tower, items.rows), vectors, scale);
    };
    one.logits = one.ask(one.asked);
    if (validation) {
      const Seen told = see(run, "validation", *validation);
      const double factor = calibrated_scale(one.ask(told), first_labels(told.items));
      one.logits = one.logits * factor;
      one.chosen["scale"] = factor * scale;
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Answered> asked_of(const Evaluation& run, const std::vector<LabelledSplit>& splits,
                               decltype(see)& look) {
  std::vector<Answered> all;
  for (const LabelledSplit& split : splits)
    all.push_back({.asked = look(run, split.name, split.items),
                   .data = split.data,
                   .logits = {},
                   .chosen = {},
                   .ask = {},
                   .kept = {}});
  return all;
}

ProbeItems probe_items(const Seen& seen, bool several) {
  return {seen.tower, seen.rows, targets_of(seen.items, several)};
}

SavedClassifier kept_of(const Evaluation& run, const Learned& learned, std::unique_ptr<Classifier> classifier) {
  return {.classifier = std::move(classifier),
          .method = run.task,
          .classes = learned.train.items.classes,
          .items = kind_of_items(learned.train.items)};
}

std::vector<Answered> answer_probes(const Evaluation& run, const std::vector<LabelledSplit>& splits,
                                    const Learned& learned) {
  const std::vector<std::string>& classes = learned.train.items.classes;
  const ProbeItems train = probe_items(learned.train, run.several()),
                   validation = probe_items(learned.validation, run.several());
  const ProbeOptions options{
      .kind = run.task, .classes = static_cast<std::int64_t>(classes.size()), .k = run.options.k};
  std::vector<Answered> all = asked_of(run, splits, see);
  FittedProbe probe = fit_probe(options, train, validation);
  probe.chosen["train_items"] = learned.train.items.size();
  std::shared_ptr<const SavedClassifier> kept;
  if (probe.map && !run.several())
    kept = std::make_shared<const SavedClassifier>(kept_of(
        run, learned, linear_classifier({probe.map->weight, probe.map->bias, probe.chosen.at("input")})));
  for (Answered& one : all) {
    one.ask = [probe](const Seen& items) { return probe.logits({items.tower, items.rows, {}}); };
    one.logits = one.ask(one.asked);
    one.chosen = probe.chosen;
    one.kept = kept;
  }
  return all;
}

// `blind`: the same items without labels.
Part part_of(const Seen& seen, const Labelled& blind) {
  Part part{.data = &blind, .items = {}, .tower = seen.tower, .rows = seen.rows, .labels = {}};
  part.items.resize(static_cast<std::size_t>(seen.items.size()));
  std::iota(part.items.begin(), part.items.end(), 0);
  return part;
}

torch::Tensor logits_of(const SavedClassifier& kept, const Seen& seen) {
  const Labelled blind = without_labels(seen.items);
  return kept.classifier->logits(part_of(seen, blind)) * kept.calibration;
}

Adapted adapted_to(const Evaluation& run, const Learned& learned) {
  const bool are_named = compares_names(*run.saved, holds_pairs(learned.train.items));
  AdaptationTask task = adaptation_task(
      *run.saved, run.setting, learned.train.items.classes, are_named,
      {.file = run.options.class_names, .templates = run.options.templates, .cache = run.cache});
  task.epochs = run.options.epochs;
  const auto with_labels = [](const Seen& seen, const Labelled& blind) {
    Part part = part_of(seen, blind);
    part.labels = first_labels(seen.items);
    return part;
  };
  const Labelled train = without_labels(learned.train.items),
                 validation = without_labels(learned.validation.items);
  log_info(cat(run.task, ": learns from ", grouped(train.size()), " items, chooses on ",
               grouped(validation.size())));
  // The same for all of them: wise_ft takes fine_tune's training over.
  return method_kind(run.task).fit(task, with_labels(learned.train, train),
                                   with_labels(learned.validation, validation), seed_of(kSeed, "evaluate"));
}

std::vector<Answered> answer_tuned(const Evaluation& run, const std::vector<LabelledSplit>& splits,
                                   const Learned& learned) {
  std::vector<Answered> all = asked_of(run, splits, open_only);
  Adapted adapted = adapted_to(run, learned);
  const auto kept = std::make_shared<SavedClassifier>(kept_of(run, learned, std::move(adapted.classifier)));
  const torch::Tensor told = logits_of(*kept, learned.validation),
                      labels = first_labels(learned.validation.items);
  kept->calibration = calibrated_scale(told, labels);
  adapted.chosen.update({{"train_items", learned.train.items.size()},
                         {"validation_items", learned.validation.items.size()},
                         {"validation_accuracy", accuracy_of(told, labels)},
                         {"scale", kept->calibration}});
  for (Answered& one : all) {
    one.ask = [kept](const Seen& items) { return logits_of(*kept, items); };
    one.reads_features = false;
    one.logits = one.ask(one.asked);
    one.chosen = adapted.chosen;
    one.kept = kept;
  }
  return all;
}

}  // namespace

Evaluation load_evaluation(const EvaluateOptions& options) {
  Evaluation run = with_task(loaded(options, options.run), options.task);
  if (trains_a_tower(run.task)) check_takes_names(run);
  return run;
}

Evaluation load_other(const Evaluation& ours) {
  const EvaluateOptions& options = ours.options;
  const Evaluation other = with_task(options.against.empty() ? ours : loaded(options, options.against),
                                     options.against_task.empty() ? options.task : options.against_task);
  if (other.task == ours.task && other.saved->identity == ours.saved->identity)
    fail(Exit::usage, "--against", cat(other.run, " is the same model, given the same task"),
         "name another run, or another task by --against-task");
  if (trains_a_tower(other.task) && learns(ours.task) && !trains_a_tower(ours.task)) check_takes_names(other);
  return other;
}

std::optional<Learned> learned_of(const Evaluation& run, const ClassData& data) {
  if (learns(run.task)) return looked_at(run, data.learned.value(), see);
  if (run.options.corrupt.empty() || !data.learned) return std::nullopt;
  return looked_at(run, *data.learned, open_only);
}

torch::Tensor targets_of(const Labelled& items, bool several) {
  if (!several) return first_labels(items);
  auto targets = torch::zeros({items.size(), static_cast<std::int64_t>(items.classes.size())});
  for (std::size_t i = 0; i < items.labels.size(); ++i) {
    for (const std::int64_t label : items.labels[i]) targets[static_cast<std::int64_t>(i)][label] = 1;
  }
  return targets;
}

std::vector<Answered> answers_of(const Evaluation& run, const ClassData& data,
                                 const std::optional<Learned>& learned) {
  if (!learns(run.task)) return answer_zero_shot(run, data.named);
  return trains_a_tower(run.task) ? answer_tuned(run, data.splits, learned.value())
                                  : answer_probes(run, data.splits, learned.value());
}

torch::Tensor answers_about(const Evaluation& run, const Answered& one, Labelled others) {
  Seen seen{one.asked.name, std::move(others), {}, {}};
  if (one.reads_features) {
    EmbedSetting setting = run.setting;
    setting.progress = false;
    const Features features = features_of(setting, *run.saved, seen.items, {});
    seen.tower = features.tower;
    seen.rows = features.rows;
  }
  return one.ask(seen);
}

}  // namespace duet
