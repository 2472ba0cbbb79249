// duet evaluate RUN --task zero_shot|knn|linear_probe|ridge: how well frozen features tell classes. Settings
// are chosen on validation items; the labels of --data are read once, by the scores.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <unordered_map>

#include "cli/engine.h"
#include "cli/engine/classification_page.h"
#include "cli/engine/corruption_report.h"
#include "cli/engine/run_results.h"
#include "cli/engine/run_setting.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/classification.h"
#include "evaluation/features.h"
#include "evaluation/probe.h"
#include "evaluation/robustness.h"
#include "evaluation/validation_part.h"
#include "evaluation/zero_shot.h"

namespace duet {
namespace {

constexpr double kValidationShare = .2;  // of --train, where there is no --validation
constexpr std::size_t kListed = 10;

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
  const torch::Tensor index = torch::tensor(rows);
  return {seen.name, subset(seen.items, rows), seen.tower.index_select(0, index),
          seen.rows.defined() ? seen.rows.index_select(0, index) : torch::Tensor()};
}

Seen see(const Evaluation& run, std::string name, Labelled items) {
  Features features = features_of(run.setting, run.saved, items, run.cache);
  warn_bad_pictures(items.source, features.bad);
  const std::vector<std::int64_t> good = readable_rows(items.source, features.bad);
  if (good.empty()) fail(Exit::data, items.source.manifest.string(), "no picture can be read");
  Seen seen{std::move(name), std::move(items), features.tower, features.rows};
  return features.bad.empty() ? seen : select(seen, good);
}

// Rows of `learned` whose content `asked` has too: it would be learned by heart, and then asked.
std::map<std::int64_t, std::size_t> shared_rows(const Labelled& learned, const Labelled& asked) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < asked.contents.size(); ++i) places.try_emplace(asked.contents[i], i);
  std::map<std::int64_t, std::size_t> shared;
  for (std::size_t i = 0; i < learned.contents.size(); ++i) {
    const auto found = places.find(learned.contents[i]);
    if (!learned.contents[i].empty() && found != places.end())
      shared.emplace(static_cast<std::int64_t>(i), found->second);
  }
  return shared;
}

[[noreturn]] void refuse_shared(const Labelled& learned, const Labelled& asked,
                                const std::map<std::int64_t, std::size_t>& shared) {
  std::vector<std::string> list;
  for (const auto& [row, other] : shared) {
    if (list.size() == kListed) {
      list.push_back("\n  ...");
      break;
    }
    list.push_back(cat("\n  ", learned.source.place_of(learned.source.pairs[static_cast<std::size_t>(row)]),
                       " = ", asked.source.place_of(asked.source.pairs[other])));
  }
  fail(Exit::data, learned.source.manifest.string(),
       cat(shared.size(), " of its ", learned.size(), asked.texts ? " texts stand in " : " pictures stand in ",
           asked.source.manifest.string(), " too, with the same content:", joined(list, ""), "\n"),
       "take them out of one of the two, or --leave-out-shared learns from none of them");
}

// What may be learned from when `asked` is asked.
Labelled apart_from(Labelled learned, const Labelled& asked, bool leave_out) {
  const auto shared = shared_rows(learned, asked);
  if (shared.empty()) return learned;
  if (!leave_out) refuse_shared(learned, asked, shared);
  log_info(cat(shared.size(), " of ", learned.size(), " items of ", learned.source.manifest.string(),
               " are left out: ", asked.source.manifest.string(), " holds them too"));
  std::vector<std::int64_t> others;
  for (std::int64_t row = 0; row < learned.size(); ++row) {
    if (!shared.contains(row)) others.push_back(row);
  }
  return subset(learned, others);
}

// Other pictures of the same thing are allowed, but said aloud: they are easier than new things.
void tell_shared_concepts(const Labelled& learned, const Labelled& asked) {
  std::unordered_map<std::string_view, bool> known;
  for (const std::string& group : learned.groups) known[group] = true;
  const auto shared =
      std::ranges::count_if(asked.groups, [&](const std::string& group) { return known.contains(group); });
  if (shared > 0)
    log_info(cat(shared, " of ", asked.size(), " items of ", asked.source.manifest.string(),
                 " share a concept with ", learned.source.manifest.string()));
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

torch::Tensor zero_shot_logits(const Evaluation& run, const torch::Tensor& rows, const NameVectors& names) {
  if (!rows.defined())
    fail(Exit::usage, "--task zero_shot", "needs items in the space of the class names",
         "pairs of texts have no such place; a model of one tower has none at all");
  return name_logits(rows, names, logit_scale_of(*run.saved.model));
}

std::vector<Answered> answer_zero_shot(const Evaluation& run, std::vector<Split> splits) {
  run.saved.texts();
  const std::vector<std::string> templates = read_templates(run.options.templates);
  std::optional<std::vector<ClassNames>> given;
  if (!run.options.class_names.empty()) given = read_class_names(run.options.class_names);
  std::vector<Answered> all;
  for (Split& split : splits) {
    const std::vector<ClassNames> names = given ? *given : class_names_of(split.items.classes);
    const std::vector<std::string> labels = labels_of(names);
    split.items = with_classes(std::move(split.items), labels);
    const NameVectors vectors = name_vectors(run.setting, run.saved, names, templates, run.cache);
    Seen asked = see(run, split.name, std::move(split.items));
    Answered one{
        .asked = std::move(asked), .data = split.data, .logits = {}, .chosen = Json::object(), .ask = {}};
    one.ask = [&run, vectors](const ProbeItems& items) { return zero_shot_logits(run, items.rows, vectors); };
    one.logits = one.ask({{}, one.asked.rows, {}});
    one.chosen["templates"] = templates.size();
    one.chosen["scale"] = logit_scale_of(*run.saved.model);
    if (!run.options.validation.empty() && !run.several()) {
      const Labelled told = with_classes(run.read(run.options.validation), labels);
      const Seen validation =
          see(run, "validation", apart_from(told, one.asked.items, run.options.leave_out_shared));
      const double scale = calibrated_scale(one.ask({{}, validation.rows, {}}), first_labels(validation.items));
      one.logits = one.logits * scale;
      one.chosen["scale"] = scale * one.chosen["scale"].get<double>();
    }
    all.push_back(std::move(one));
  }
  return all;
}

struct Learned {
  Seen train, validation;
};

// All that can be wrong with the data is told before the towers look at any of it.
Learned read_learned(const Evaluation& run, std::vector<Split>& splits) {
  const bool leave_out = run.options.leave_out_shared;
  Labelled train = run.read(run.options.train);
  for (Split& split : splits) split.items = with_classes(std::move(split.items), train.classes);
  const auto apart_from_splits = [&](Labelled learned) {
    for (const Split& split : splits) {
      learned = apart_from(std::move(learned), split.items, leave_out);
      tell_shared_concepts(learned, split.items);
    }
    return learned;
  };
  train = apart_from_splits(std::move(train));
  if (run.options.validation.empty()) {
    const Seen all = see(run, "train", std::move(train));
    const ValidationPart part = split_off_validation(all.items, kValidationShare);
    return {select(all, part.train), select(all, part.validation)};
  }
  const Labelled validation =
      apart_from_splits(with_classes(run.read(run.options.validation), std::vector(train.classes)));
  train = apart_from(std::move(train), validation, leave_out);
  return {see(run, "train", std::move(train)), see(run, "validation", validation)};
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

std::string interval_of(double value, const Interval& interval) {
  return cat(fixed(value, 3), " [", fixed(interval.low, 3), ", ", fixed(interval.high, 3), "]");
}

void print_scores(const Seen& asked, const ClassificationScores& scores) {
  std::cout << padded(asked.name, 20) << padded(interval_of(scores.top_1, scores.top_1_interval), 22)
            << padded(fixed(scores.top_5, 3), 7)
            << padded(interval_of(scores.mean_per_class, scores.mean_per_class_interval), 22)
            << padded(interval_of(scores.macro_f1, scores.macro_f1_interval), 22)
            << padded(fixed(scores.calibration_error, 3), 7)
            << (scores.classes == 2 ? padded(scores.roc_auc ? fixed(*scores.roc_auc, 3) : "-", 9) : "")
            << scores.items << "/" << scores.classes << "\n";
}

void print_header(bool two_classes) {
  std::cout << padded("split", 20) << padded("top-1", 22) << padded("top-5", 7) << padded("mean per class", 22)
            << padded("macro-F1", 22) << padded("ECE", 7) << (two_classes ? padded("ROC-AUC", 9) : "")
            << "items/classes\n";
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
    if (!run.options.json)
      std::cout << padded(one.asked.name, 20)
                << padded(interval_of(scores.mean_average_precision, scores.interval), 24) << items.size()
                << "/" << items.classes.size() << "\n";
    add_classification(page, one.asked.name, scores);
    result = to_json(scores);
  } else {
    const ClassificationScores scores =
        score_classification(one.logits, targets_of(items, false), items.classes, items.groups);
    if (!run.options.json) print_scores(one.asked, scores);
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
  if (run.options.task != "zero_shot") return read_learned(run, splits);
  std::vector<Split> asked = splits;  // of the baseline alone: the names that are told apart stay what they are
  return read_learned(run, asked);
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
  std::vector<Split> splits = read_splits(run);
  const std::optional<Learned> learned = learned_of(run, splits);
  const std::vector<Answered> all = options.task == "zero_shot"
                                        ? answer_zero_shot(run, std::move(splits))
                                        : answer_probes(run, std::move(splits), *learned);
  log_info(cat(options.task, ": ", said_of(all.front().chosen)));
  Page page = empty_page(run, all);
  if (!options.json && run.several())
    std::cout << padded("split", 20) << padded("mAP", 24) << "items/classes\n";
  else if (!options.json)
    print_header(all.front().asked.items.classes.size() == 2);
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
