#include "cli/engine/class_answers.h"

#include <utility>

#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/format.h"
#include "evaluation/features.h"
#include "evaluation/robustness.h"
#include "evaluation/validation_part.h"

namespace duet {
namespace {

constexpr double kValidationShare = .2;  // of --train, where there is no --validation

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
                 .ask = {}};
    one.ask = [vectors, scale](const ProbeItems& items) {
      return name_logits(rows_beside_names(items.tower, items.rows), vectors, scale);
    };
    one.logits = one.ask({one.asked.tower, one.asked.rows, {}});
    if (validation) {
      const Seen told = see(run, "validation", *validation);
      const double factor = calibrated_scale(one.ask({told.tower, told.rows, {}}), first_labels(told.items));
      one.logits = one.logits * factor;
      one.chosen["scale"] = factor * scale;
    }
    all.push_back(std::move(one));
  }
  return all;
}

ProbeItems probe_items(const Seen& seen, bool several) {
  return {seen.tower, seen.rows, targets_of(seen.items, several)};
}

std::vector<Answered> answer_probes(const Evaluation& run, const std::vector<LabelledSplit>& splits,
                                    const Learned& learned) {
  const std::vector<std::string>& classes = learned.train.items.classes;
  const ProbeItems train = probe_items(learned.train, run.several()),
                   validation = probe_items(learned.validation, run.several());
  const ProbeOptions options{
      .kind = run.task, .classes = static_cast<std::int64_t>(classes.size()), .k = run.options.k};
  std::vector<Answered> all;
  for (const LabelledSplit& split : splits)
    all.push_back({see(run, split.name, split.items), split.data, {}, {}, {}});
  FittedProbe probe = fit_probe(options, train, validation);
  probe.chosen["train_items"] = learned.train.items.size();
  for (Answered& one : all) {
    one.ask = probe.logits;
    one.logits = one.ask({one.asked.tower, one.asked.rows, {}});
    one.chosen = probe.chosen;
  }
  return all;
}

}  // namespace

Evaluation load_evaluation(const EvaluateOptions& options) {
  return with_task(loaded(options, options.run), options.task);
}

Evaluation load_other(const Evaluation& ours) {
  const EvaluateOptions& options = ours.options;
  const Evaluation other = with_task(options.against.empty() ? ours : loaded(options, options.against),
                                     options.against_task.empty() ? options.task : options.against_task);
  if (other.task == ours.task && other.saved->identity == ours.saved->identity)
    fail(Exit::usage, "--against", cat(other.run, " is the same model, given the same task"),
         "name another run, or another task by --against-task");
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
  return learns(run.task) ? answer_probes(run, data.splits, learned.value())
                          : answer_zero_shot(run, data.named);
}

}  // namespace duet
