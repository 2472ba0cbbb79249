// duet evaluate RUN --task zero_shot|knn|...|fine_tune: how well classes are told, by frozen features or a
// tower that learns. Settings are chosen on validation items; the labels of --data are read once, by the
// scores.
#include <algorithm>
#include <iostream>
#include <optional>

#include "cli/engine.h"
#include "cli/engine/adapting.h"
#include "cli/engine/class_answers.h"
#include "cli/engine/classification_page.h"
#include "cli/engine/classification_text.h"
#include "cli/engine/corruption_report.h"
#include "cli/engine/run_results.h"
#include "cli/engine/run_setting.h"
#include "cli/guard.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/classification.h"
#include "evaluation/robustness.h"
#include "report/text_table.h"
#include "training/signals.h"

namespace duet {
namespace {

using Json = nlohmann::json;

std::string key_of(const Evaluation& run, const Answered& one) { return cat(run.task, "/", one.asked.name); }

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
  Page page{.title = cat(run.task, " of ", fs::absolute(run.run).lexically_normal().filename().string())};
  page.facts = {{"step", grouped(run.saved->step)},
                {"classes", grouped(static_cast<std::int64_t>(all.front().asked.items.classes.size()))}};
  if (!run.options.train.empty())
    page.facts.emplace_back(learns(run.task)              ? "learned from"
                            : run.options.corrupt.empty() ? "the other one learned from"
                                                          : "the baseline's data",
                            run.options.train);
  for (auto& fact : facts_of(all.front().chosen)) page.facts.push_back(std::move(fact));
  return page;
}

ClassificationScores scores_of(const Answered& one) {
  const Labelled& items = one.asked.items;
  return score_classification(one.logits, first_labels(items), items.classes, items.groups);
}

// Scores, prints and gathers; only scores read the labels of what was asked.
Json score(const Evaluation& run, const Answered& one, Page& page) {
  const Labelled& items = one.asked.items;
  Json result;
  if (run.several()) {
    const MultiLabelScores scores = score_multi_label(one.logits, items.labels, items.classes, items.groups);
    if (!run.options.json) std::cout << score_line(one.asked.name, scores, items.size());
    add_classification(page, one.asked.name, scores);
    result = to_json(scores);
  } else {
    const ClassificationScores scores = scores_of(one);
    if (!run.options.json) std::cout << score_line(one.asked.name, scores);
    if (!run.options.report.empty())
      add_classification(page, one.asked.name, items, one.logits, scores, run.setting.max_pixels);
    result = to_json(scores);
  }
  result["data"] = one.data;
  result["task"] = run.task;
  result["chosen"] = one.chosen;
  return result;
}

Robustness under_corruptions(const Evaluation& run, const Answered& one, const PixelBaseline* baseline) {
  const Labelled& items = one.asked.items;
  const torch::Tensor labels = first_labels(items);
  return measure_robustness(
      run.setting, items.source, run.options.corrupt, items.groups, [&](const Source& pictures) {
        Labelled spoilt = items;
        spoilt.source = pictures;
        WrongOfBoth wrong{.model = wrong_answers(answers_about(run, one, spoilt), labels)};
        if (baseline != nullptr) wrong.baseline = baseline->wrong(run.setting, pictures, items);
        return wrong;
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
    Json& result = scored[key_of(run, one)]["corruption"];
    result = to_json(robustness, "top_1");
    if (baseline) result["baseline_chosen"] = baseline->chosen();
    if (!run.options.json) std::cout << corruption_text(one.asked.name, robustness, "top-1");
    if (run.options.report.empty()) continue;
    add_corruptions(page, one.asked.name, robustness, "top-1",
                    corrupted_example(run.setting, one.asked.items.source, robustness.kinds, kShown), kShown);
  }
}

// Adds "against" to the scores of a split.
Cells compare(const Evaluation& other, const Answered& ours, const Answered& theirs, Json& scored) {
  const Labelled &items = ours.asked.items, &of_theirs = theirs.asked.items;
  if (items.contents != of_theirs.contents)
    fail(Exit::data, ours.data,
         cat(other.run, " reads other pictures of it: ", of_theirs.size(), ", and not ", items.size()),
         "two runs are compared on the same items; leave out those that only one of them reads");
  const ClassificationScores a = scores_of(ours), b = scores_of(theirs);
  const PairedDifference difference =
      paired_difference({a.right.begin(), a.right.end()}, {b.right.begin(), b.right.end()}, items.groups);
  scored["against"] = to_json(difference);
  scored["against"].update({{"run", other.run},
                            {"model", other.saved->identity},
                            {"step", other.saved->step},
                            {"task", other.task},
                            {"chosen", theirs.chosen},
                            {"top_1", b.top_1},
                            {"top_1_interval", {b.top_1_interval.low, b.top_1_interval.high}}});
  return {ours.asked.name, fixed(a.top_1, 3), fixed(b.top_1, 3), difference_text(difference),
          fixed(difference.p, 4)};
}

// On the items of each split; prints and shows it.
void compare_all(const Evaluation& run, const std::vector<Answered>& all, const Evaluation& other,
                 const std::vector<Answered>& others, Json& scored, Page& page) {
  Table table{.title = cat(run.task, " of ", run.run, " against ", other.task, " of ", other.run,
                           ", on the same items"),
              .header = {"split", "top-1", "against", "difference", "p"},
              .rows = {}};
  for (std::size_t i = 0; i < all.size(); ++i)
    table.rows.push_back(compare(other, all[i], others[i], scored[key_of(run, all[i])]));
  std::vector<Cells> lines = table.rows;
  lines.insert(lines.begin(), table.header);
  if (!run.options.json) std::cout << "\n" << table.title << "\n" << aligned(lines);
  page.tables.push_back(std::move(table));
}

}  // namespace

int evaluate_task(const EvaluateOptions& options) {
  check_out("--report", options.report);
  check_kept_folder(options.out);
  std::optional<EarlySignals> early(std::in_place, "\nstopped: nothing was saved\n");
  const Evaluation run = load_evaluation(options);
  std::optional<Evaluation> other;
  if (!options.against.empty() || !options.against_task.empty()) other.emplace(load_other(run));
  std::vector<std::string> tasks = {run.task};
  if (other) tasks.push_back(other->task);
  const ClassData data = read_class_data(options, tasks);
  const std::optional<Learned> learned = learned_of(run, data);
  const std::vector<Answered> all = answers_of(run, data, learned);
  log_info(cat(run.task, ": ", said_of(all.front().chosen)));
  std::vector<Answered> others;
  if (other) {
    others = answers_of(*other, data, learned_of(*other, data));
    log_info(cat(other->task, ": ", said_of(others.front().chosen)));
  }
  Page page = empty_page(run, all);
  if (!options.json) std::cout << score_header(all.front().asked.items.classes.size(), run.several());
  Json scored = Json::object();
  for (const Answered& one : all) scored[key_of(run, one)] = score(run, one, page);
  if (other) compare_all(run, all, *other, others, scored, page);
  if (!options.corrupt.empty()) {
    flush_output();  // they take their time
    score_corruptions(run, all, learned, scored, page);
  }
  Json results = results_of(*run.saved);
  results.update(scored);
  if (options.json) std::cout << json_text(results);
  flush_output();  // before the saving, which may fail
  early.reset();
  const SignalWatch whole;  // what is written now is written to its end
  write_all({[&] {
               if (!options.out.empty())
                 keep_classifier(options.out, *all.front().kept, *run.saved, options.run, options.train);
             },
             [&] {
               if (options.report.empty()) return;
               replace_file(options.report, to_html(page));
               log_info(cat("page: ", options.report));
             },
             [&] {
               if (options.save) save_results(options.run, options.checkpoint, *run.saved, results);
             }});
  return 0;
}

}  // namespace duet
