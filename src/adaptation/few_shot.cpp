#include "adaptation/few_shot.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "adaptation/classifiers.h"
#include "adaptation/few_shot_scoring.h"
#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/random.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;
using Rows = std::vector<std::int64_t>;

constexpr const char* kVersion = "few-shot 3";  // another protocol gives other rows
constexpr const char* kNoNames =
    "needs the classes' names in one space with the items: one tower alone has none, and pairs of texts have "
    "none";

torch::Tensor picked(const torch::Tensor& features, const Rows& rows) {
  if (!features.defined()) return {};
  return features.index_select(0, torch::tensor(rows, torch::kLong));
}

Part part_of(const Labelled& blind, const Features& features, const Rows& rows) {
  return {.data = &blind,
          .items = rows,
          .tower = picked(features.tower, rows),
          .rows = picked(features.rows, rows),
          .labels = {}};
}

// A line each item: order, contents and labels.
std::string lines_of(const Labelled& items, const Rows& rows) {
  std::string lines;
  for (const std::int64_t row : rows) {
    const auto at = static_cast<std::size_t>(row);
    lines +=
        cat(items.contents[at], " ", items.classes[static_cast<std::size_t>(items.labels[at].front())], "\n");
  }
  return lines;
}

std::string lines_of(const AdaptationTask& task) {
  if (!task.name_vectors.defined()) return "no names\n";
  std::string lines;
  for (const ClassNames& one : task.names) lines += cat(one.label, "\t", joined(one.names, "\tor\t"), "\n");
  return lines + joined(task.templates, "\n") + "\n";
}

bool trains_a_tower(std::string_view method) {
  return std::ranges::any_of(method_kinds(),
                             [&](const MethodKind& kind) { return kind.name == method && kind.needs_network; });
}

}  // namespace

FewShotBench::FewShotBench(const FewShotData& data, AdaptationTask task, std::string model)
    : data_(&data),
      task_(std::move(task)),
      items_(without_labels(data.items)),
      test_(data.own_test ? without_labels(*data.own_test) : items_) {
  task_.classes = static_cast<std::int64_t>(data.classes().size());
  study_ = checksum(cat(kVersion, "\n", model, "\n", joined(data.classes(), "\n"), "\n", lines_of(task_),
                        lines_of(data.test(), data.pool.test)));
}

std::string FewShotBench::identity(std::string_view method, const FewShotSplit& split) const {
  const bool given = task_.epochs > 0 && trains_a_tower(method);
  return checksum(cat(study_, " ", method, given ? cat(" of ", task_.epochs, " epochs") : "", " ", split.shots,
                      " ", split.seed, "\n", lines_of(data_->items, split.support), "\n",
                      lines_of(data_->items, split.validation)));
}

Part FewShotBench::labelled(const Rows& rows) const {
  if (!data_->own_test) {
    const std::unordered_set<std::int64_t> test(data_->pool.test.begin(), data_->pool.test.end());
    for (const std::int64_t row : rows) {
      if (test.contains(row)) fail(Exit::failed, "few-shot split", cat("row ", row, " is one of the test's"));
    }
  }
  Part part = part_of(items_, data_->features, rows);
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : rows)
    labels.push_back(data_->items.labels[static_cast<std::size_t>(row)].front());
  part.labels = torch::tensor(labels, torch::kLong);
  return part;
}

Part FewShotBench::asked() const { return part_of(test_, data_->test_features(), data_->pool.test); }

std::optional<std::string> FewShotBench::refusal(const MethodKind& kind) const {
  if (kind.needs_names && !task_.name_vectors.defined()) return kNoNames;
  return std::nullopt;
}

FewShotFit FewShotBench::fit(const MethodKind& kind, const FewShotSplit& split) const {
  const Part support = labelled(split.support), validation = labelled(split.validation);
  const Clock::time_point start = Clock::now();
  FewShotFit fit;
  // The same for all methods: some of them share a training (fine_tune and wise_ft).
  fit.adapted = kind.fit(task_, support, validation, seed_of(split.seed, "few-shot", split.shots));
  fit.seconds = std::chrono::duration<double>(Clock::now() - start).count() + fit.adapted.seconds_before;
  const Verdict verdict = fit.adapted.validated
                              ? *fit.adapted.validated
                              : judged(fit.adapted.classifier->logits(validation), validation.labels);
  fit.validation = verdict.accuracy;
  if (task_.name_vectors.defined())
    fit.falls_back =
        judged(zero_shot_classifier(task_)->logits(validation), validation.labels).better_than(verdict);
  return fit;
}

FewShotRow FewShotBench::row(const MethodKind& kind, const FewShotSplit& split) const {
  FewShotFit made = fit(kind, split);
  return {.method = std::string(kind.name),
          .shots = split.shots,
          .seed = split.seed,
          .chosen = std::move(made.adapted.chosen),
          .curve = std::move(made.adapted.curve),
          .validation = made.validation,
          .falls_back = made.falls_back,
          .right = right_answers(*made.adapted.classifier, asked(), *data_),
          .seconds = made.seconds,
          .identity = identity(kind.name, split)};
}

std::optional<FewShotRow> FewShotBench::zero_shot_row() const {
  if (!task_.name_vectors.defined()) return std::nullopt;
  return FewShotRow{.method = kZeroShot,
                    .right = right_answers(*zero_shot_classifier(task_), asked(), *data_),
                    .identity = identity(kZeroShot, {})};
}

FewShotPlan usable(const FewShotBench& bench, FewShotPlan plan) {
  std::vector<std::string> left_out;
  std::erase_if(plan.methods, [&](const MethodKind* kind) {
    const std::optional<std::string> why = bench.refusal(*kind);
    if (why && plan.by_name) fail(Exit::usage, "--methods", cat("'", kind->name, "' ", *why), "leave it out");
    if (why) left_out.emplace_back(kind->name);
    return why.has_value();
  });
  if (!left_out.empty()) log_warning(cat("left out: ", joined(left_out), ", which ", kNoNames));
  return plan;
}

namespace {

struct Slot {
  const MethodKind* method;
  const FewShotSplit* split;
};

// Seed by seed all methods, so that a table of some seeds compares all of them.
std::vector<Slot> missing_slots(const FewShotBench& bench, const FewShotPlan& plan,
                                const FewShotResults& results) {
  std::vector<const FewShotSplit*> splits;
  for (const FewShotSplit& split : plan.splits) splits.push_back(&split);
  std::stable_sort(splits.begin(), splits.end(), [](const FewShotSplit* a, const FewShotSplit* b) {
    return a->seed != b->seed ? a->seed < b->seed : a->shots < b->shots;
  });
  std::vector<Slot> slots;
  for (const FewShotSplit* split : splits) {
    for (const MethodKind* method : plan.methods) {
      if (!results.find(method->name, split->shots, split->seed, bench.identity(method->name, *split)))
        slots.push_back({method, split});
    }
  }
  return slots;
}

std::string told(const Slot& slot) {
  return cat(slot.method->name, ", ", slot.split->shots, slot.split->shots == 1 ? " shot" : " shots", ", seed ",
             slot.split->seed);
}

}  // namespace

bool run_few_shot(const FewShotBench& bench, FewShotPlan& plan, FewShotResults& results,
                  const std::function<bool()>& is_stopped) {
  if (!results.find(kZeroShot, 0, 0, bench.identity(kZeroShot, {}))) {
    if (std::optional<FewShotRow> row = bench.zero_shot_row()) results.add(std::move(*row));
  }
  const std::vector<Slot> slots = missing_slots(bench, plan, results);
  if (slots.empty()) return true;
  Progress progress("few-shot", static_cast<std::int64_t>(slots.size()), "fits");
  std::int64_t done = 0;
  for (const Slot& slot : slots) {
    if (is_stopped()) return false;
    const auto still = std::find(plan.methods.begin(), plan.methods.end(), slot.method);
    if (still != plan.methods.end()) {
      progress.update(done, told(slot));
      try {
        results.add(bench.row(*slot.method, *slot.split));
      } catch (const Error& error) {
        if (error.exit() != Exit::usage || plan.by_name) throw;
        log_warning(cat(slot.method->name, " is left out: ", error.what()));
        plan.methods.erase(still);
      }
    }
    progress.update(++done, told(slot));
  }
  return true;
}

}  // namespace duet
