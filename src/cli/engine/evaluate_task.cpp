// duet evaluate RUN --task zero_shot|knn|linear_probe|ridge: how well frozen features tell classes. Settings
// are chosen on validation items; the labels of --data are read once, by the scores.
#include <algorithm>
#include <functional>
#include <iostream>
#include <optional>

#include "cli/engine.h"
#include "cli/engine/classification_page.h"
#include "cli/engine/classification_text.h"
#include "cli/engine/corruption_report.h"
#include "cli/engine/run_results.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/classification.h"
#include "evaluation/features.h"
#include "evaluation/probe.h"
#include "evaluation/robustness.h"
#include "evaluation/shared_items.h"
#include "evaluation/validation_part.h"
#include "evaluation/zero_shot.h"

namespace duet {
namespace {

constexpr double kValidationShare = .2;  // of --train, where there is no --validation

using Json = nlohmann::json;

// Items with what the towers say of them; unreadable pictures are left out.
struct Seen {
  std::string name;
  Labelled items;
  torch::Tensor tower, rows;
};

struct Evaluation {
  const EvaluateOptions& options;
  const SavedModel& saved;
  EmbedSetting setting;
  fs::path cache;
  bool several() const { return !options.labels.separator.empty(); }
  Labelled read(const std::string& data) const { return read_items(data, options.root, options.labels); }
};

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
  const Features features = features_of(run.setting, run.saved, items, run.cache);
  return without(features.bad, {std::move(name), std::move(items), features.tower, features.rows});
}

// For a baseline on pixels: no tower looks at them.
Seen open_only(const Evaluation& run, std::string name, Labelled items) {
  const BadRows bad = unreadable_pictures(run.setting, items.source);
  return without(bad, {std::move(name), std::move(items), {}, {}});
}

torch::Tensor targets_of(const Labelled& items, bool several) {
  if (!several) return first_labels(items);
  auto targets = torch::zeros({items.size(), static_cast<std::int64_t>(items.classes.size())});
  for (std::size_t i = 0; i < items.labels.size(); ++i) {
    for (const std::int64_t label : items.labels[i]) targets[static_cast<std::int64_t>(i)][label] = 1;
  }
  return targets;
}

// A classifier asked about one split after the other.
struct Answered {
  Seen asked;
  std::string data;
  torch::Tensor logits;
  Json chosen;
  std::function<torch::Tensor(const ProbeItems&)> ask;  // about other pictures
};

struct Split {
  std::string name, data;
  Labelled items;
};

std::vector<Split> read_splits(const Evaluation& run) {
  std::vector<Split> splits;
  std::vector<std::string> names;
  for (const std::string& entry : run.options.data) {
    const NamedSource named = named_source(entry, {}, names);
    splits.push_back({named.name, named.options.data, run.read(named.options.data)});
    names.push_back(named.name);
  }
  return splits;
}

std::vector<std::string> labels_of(const std::vector<ClassNames>& names) {
  std::vector<std::string> labels;
  for (const ClassNames& one : names) labels.push_back(one.label);
  return labels;
}

// Told before anything is embedded.
void check_has_names(const Evaluation& run) {
  const char* remedy = "learn the classes: --task knn|linear_probe|ridge --train PATH";
  if (run.saved.recipe.model.spaces.empty())
    fail(Exit::usage, "--task zero_shot",
         cat(run.options.run, " is one tower, which compares nothing with the name of a class"), remedy);
  if (!run.options.labels.second_column.empty())
    fail(Exit::usage, "--task zero_shot", "pairs of texts have no place beside the name of a class", remedy);
  run.saved.texts();
}

// What is asked by the names of its classes, and what tells the scale of the answers.
struct Named {
  Split split;
  std::vector<ClassNames> names;
  std::optional<Labelled> validation;
};

std::vector<Named> named_splits(const Evaluation& run, std::vector<Split> splits) {
  std::optional<std::vector<ClassNames>> given;
  if (!run.options.class_names.empty()) given = read_class_names(run.options.class_names);
  std::optional<Labelled> validation;
  if (!run.options.validation.empty()) validation = run.read(run.options.validation);
  std::vector<Named> all;
  for (Split& split : splits) {
    Named one{std::move(split), {}, {}};
    Labelled& items = one.split.items;
    one.names = given ? *given : class_names_of(items.classes);
    const std::vector<std::string> labels = labels_of(one.names);
    items = with_classes(std::move(items), labels);
    if (validation)
      one.validation = apart_from(with_classes(*validation, labels), items, run.options.leave_out_shared);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Answered> answer_zero_shot(const Evaluation& run, std::vector<Split> splits) {
  const std::vector<std::string> templates = read_templates(run.options.templates);
  const double scale = logit_scale_of(*run.saved.model);
  std::vector<Answered> all;
  for (auto& [split, names, validation] : named_splits(run, std::move(splits))) {
    const NameVectors vectors = name_vectors(run.setting, run.saved, names, templates, run.cache);
    Answered one{.asked = see(run, split.name, std::move(split.items)),
                 .data = split.data,
                 .logits = {},
                 .chosen = {{"templates", templates.size()}, {"scale", scale}},
                 .ask = {}};
    one.ask = [vectors, scale](const ProbeItems& items) { return name_logits(items.rows, vectors, scale); };
    one.logits = one.ask({{}, one.asked.rows, {}});
    if (validation) {
      const Seen told = see(run, "validation", std::move(*validation));
      const double factor = calibrated_scale(one.ask({{}, told.rows, {}}), first_labels(told.items));
      one.logits = one.logits * factor;
      one.chosen["scale"] = factor * scale;
    }
    all.push_back(std::move(one));
  }
  return all;
}

// What a classifier, or the baseline, learns from. Without a validation there, it is a part of train.
struct LearnedItems {
  Labelled train;
  std::optional<Labelled> validation;
};

// All that can be wrong with the data is told before the towers look at any of it.
LearnedItems read_learned(const Evaluation& run, std::vector<Split>& splits) {
  const bool leave_out = run.options.leave_out_shared;
  LearnedItems learned{run.read(run.options.train), {}};
  const std::vector<std::string> classes = learned.train.classes;
  std::vector<const Labelled*> all = {&learned.train};
  for (Split& split : splits) {
    split.items = with_classes(std::move(split.items), classes);
    all.push_back(&split.items);
  }
  if (!run.options.validation.empty()) {
    learned.validation = with_classes(run.read(run.options.validation), classes);
    all.push_back(&*learned.validation);
  }
  warn_of_missing_concepts(all);
  const auto apart_from_splits = [&](Labelled items) {
    for (const Split& split : splits) {
      items = apart_from(std::move(items), split.items, leave_out);
      tell_shared_concepts(items, split.items);
    }
    return items;
  };
  learned.train = apart_from_splits(std::move(learned.train));
  if (!learned.validation) return learned;
  learned.validation = apart_from_splits(std::move(*learned.validation));
  learned.train = apart_from(std::move(learned.train), *learned.validation, leave_out);
  return learned;
}

struct Learned {
  Seen train, validation;
};

// look: see or open_only
Learned looked_at(const Evaluation& run, LearnedItems items, decltype(see)& look) {
  const Seen all = look(run, "train", std::move(items.train));
  if (items.validation) return {all, look(run, "validation", std::move(*items.validation))};
  const ValidationPart part = split_off_validation(all.items, kValidationShare);
  return {select(all, part.train), select(all, part.validation)};
}

ProbeItems probe_items(const Seen& seen, bool several) {
  return {seen.tower, seen.rows, targets_of(seen.items, several)};
}

std::vector<Answered> answer_probes(const Evaluation& run, std::vector<Split> splits, const Learned& learned) {
  const std::vector<std::string>& classes = learned.train.items.classes;
  const ProbeItems train = probe_items(learned.train, run.several()),
                   validation = probe_items(learned.validation, run.several());
  const ProbeOptions options{
      .kind = run.options.task, .classes = static_cast<std::int64_t>(classes.size()), .k = run.options.k};
  std::vector<Answered> all;
  for (Split& split : splits)
    all.push_back({see(run, split.name, std::move(split.items)), split.data, {}, {}, {}});
  FittedProbe probe = fit_probe(options, train, validation);
  probe.chosen["train_items"] = learned.train.items.size();
  for (Answered& one : all) {
    one.ask = probe.logits;
    one.logits = one.ask({one.asked.tower, one.asked.rows, {}});
    one.chosen = probe.chosen;
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> facts_of(const Json& chosen) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : chosen.items()) {
    std::string name = key;
    std::ranges::replace(name, '_', ' ');
    facts.emplace_back(name, value.is_string()         ? value.get<std::string>()
                             : value.is_number_float() ? cat(value.get<double>())
                                                       : grouped(value.get<std::int64_t>()));
  }
  return facts;
}

std::string said_of(const Json& chosen) {
  std::vector<std::string> words;
  for (const auto& [name, value] : facts_of(chosen)) words.push_back(cat(name, " ", value));
  return joined(words);
}

Page empty_page(const Evaluation& run, const std::vector<Answered>& all) {
  Page page{.title = cat(run.options.task, " of ",
                         fs::absolute(run.options.run).lexically_normal().filename().string())};
  page.facts = {{"step", grouped(run.saved.step)},
                {"classes", grouped(static_cast<std::int64_t>(all.front().asked.items.classes.size()))}};
  if (!run.options.train.empty())
    page.facts.emplace_back(run.options.task == "zero_shot" ? "the baseline's data" : "learned from",
                            run.options.train);
  for (auto& fact : facts_of(all.front().chosen)) page.facts.push_back(std::move(fact));
  return page;
}

// Scores, prints and gathers; this alone reads the labels of what was asked.
Json score(const Evaluation& run, const Answered& one, Page& page) {
  const Labelled& items = one.asked.items;
  Json result;
  if (run.several()) {
    const MultiLabelScores scores = score_multi_label(one.logits, items.labels, items.classes, items.groups);
    if (!run.options.json) std::cout << score_line(one.asked.name, scores, items.size());
    add_classification(page, one.asked.name, scores);
    result = to_json(scores);
  } else {
    const ClassificationScores scores =
        score_classification(one.logits, targets_of(items, false), items.classes, items.groups);
    if (!run.options.json) std::cout << score_line(one.asked.name, scores);
    if (!run.options.report.empty())
      add_classification(page, one.asked.name, items, one.logits, scores, run.setting.max_pixels);
    result = to_json(scores);
  }
  result["data"] = one.data;
  result["task"] = run.options.task;
  result["chosen"] = one.chosen;
  return result;
}

std::optional<Learned> learned_of(const Evaluation& run, std::vector<Split>& splits) {
  if (run.options.train.empty()) return std::nullopt;
  if (run.options.task != "zero_shot") return looked_at(run, read_learned(run, splits), see);
  std::vector<Split> asked = splits;  // of the baseline alone: the names that are told apart stay what they are
  return looked_at(run, read_learned(run, asked), open_only);
}

Robustness under_corruptions(const Evaluation& run, const Answered& one, const PixelBaseline* baseline) {
  EmbedSetting setting = run.setting;
  setting.progress = false;
  const Labelled& items = one.asked.items;
  const torch::Tensor labels = first_labels(items);
  return measure_robustness(run.setting, items.source, run.options.corrupt, [&](const Source& pictures) {
    Labelled spoilt = items;
    spoilt.source = pictures;
    const Features features = features_of(setting, run.saved, spoilt, {});
    ErrorsOfBoth errors{.model = share_wrong(one.ask({features.tower, features.rows, {}}), labels)};
    if (baseline != nullptr) errors.baseline = baseline->error(setting, pictures, items);
    return errors;
  });
}

// Adds "corruption" to the scores of each split.
void score_corruptions(const Evaluation& run, const std::vector<Answered>& all,
                       const std::optional<Learned>& learned, Json& scored, Page& page) {
  constexpr int kShown = 3;  // the strength
  std::optional<PixelBaseline> baseline;
  if (learned)
    baseline.emplace(run.setting, learned->train.items, learned->validation.items);
  else
    log_info("--corrupt without --train: no baseline, and so no corruption errors");
  for (const Answered& one : all) {
    const Robustness robustness = under_corruptions(run, one, baseline ? &*baseline : nullptr);
    Json& result = scored[cat(run.options.task, "/", one.asked.name)]["corruption"];
    result = to_json(robustness, "top_1");
    if (baseline) result["baseline_chosen"] = baseline->chosen();
    if (!run.options.json) std::cout << corruption_text(one.asked.name, robustness, "top-1");
    if (run.options.report.empty()) continue;
    add_corruptions(page, one.asked.name, robustness, "top-1",
                    corrupted_example(run.setting, one.asked.items.source, robustness.kinds, kShown), kShown);
  }
}

}  // namespace

int evaluate_task(const EvaluateOptions& options) {
  check_out("--report", options.report);
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  if (options.labels.texts)
    saved.texts();
  else
    saved.pictures();
  Evaluation run{.options = options,
                 .saved = saved,
                 .setting = embed_setting_of(saved, options.batch, options.max_bad_fraction),
                 .cache = cache_folder(options.run)};
  run.setting.progress = true;
  if (options.task == "zero_shot") check_has_names(run);
  std::vector<Split> splits = read_splits(run);
  const std::optional<Learned> learned = learned_of(run, splits);
  const std::vector<Answered> all = options.task == "zero_shot"
                                        ? answer_zero_shot(run, std::move(splits))
                                        : answer_probes(run, std::move(splits), *learned);
  log_info(cat(options.task, ": ", said_of(all.front().chosen)));
  Page page = empty_page(run, all);
  if (!options.json) std::cout << score_header(all.front().asked.items.classes.size(), run.several());
  Json scored = Json::object();
  for (const Answered& one : all) scored[cat(options.task, "/", one.asked.name)] = score(run, one, page);
  if (!options.corrupt.empty()) {
    std::cout.flush();  // they take their time
    score_corruptions(run, all, learned, scored, page);
  }
  Json results = results_of(saved);
  results.update(scored);
  if (options.json) std::cout << results.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  std::cout.flush();  // before the saving, which may fail
  if (options.save) save_results(options.run, options.checkpoint, saved, results);
  if (!options.report.empty()) {
    replace_file(options.report, to_html(page));
    log_info(cat("page: ", options.report));
  }
  return 0;
}

}  // namespace duet
