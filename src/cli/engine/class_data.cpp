#include "cli/engine/class_data.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/format.h"
#include "evaluation/shared_items.h"
#include "run/recipe.h"

namespace duet {
namespace {

Labelled read(const EvaluateOptions& options, const std::string& data) {
  Labelled items = read_items(data, options.root, options.labels);
  warn_of_contradictions(items);
  return items;
}

std::vector<LabelledSplit> read_splits(const EvaluateOptions& options) {
  std::vector<NamedSource> sources;
  std::vector<std::string> names, all = given({options.train, options.validation});
  for (const std::string& entry : options.data) {
    sources.push_back(named_source(entry, {}, names));
    names.push_back(sources.back().name);
    all.push_back(sources.back().options.data);
  }
  check_for_manifests(options.root, options.labels, all);
  std::vector<LabelledSplit> splits;
  for (const NamedSource& source : sources)
    splits.push_back({source.name, source.options.data, read(options, source.options.data)});
  return splits;
}

// The splits become those of train's classes.
LearnedItems read_learned(const EvaluateOptions& options, std::vector<LabelledSplit>& splits,
                          const std::optional<Labelled>& validation) {
  const bool leave_out = options.leave_out_shared;
  LearnedItems learned{read(options, options.train), {}};
  const std::vector<std::string> classes = learned.train.classes;
  std::vector<const Labelled*> all = {&learned.train};
  for (LabelledSplit& split : splits) {
    split.items = with_classes(std::move(split.items), classes);
    all.push_back(&split.items);
  }
  if (validation) {
    learned.validation = with_classes(*validation, classes);
    all.push_back(&*learned.validation);
  }
  warn_of_missing_concepts(all);
  const auto apart_from_splits = [&](Labelled items) {
    for (const LabelledSplit& split : splits) {
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

std::vector<std::string> labels_of(const std::vector<ClassNames>& names) {
  std::vector<std::string> labels;
  for (const ClassNames& one : names) labels.push_back(one.label);
  return labels;
}

// Among fewer classes the right one is easier to tell.
void check_same_classes(const EvaluateOptions& options, std::vector<std::string> labels,
                        const std::vector<std::string>& classes) {
  std::ranges::sort(labels);
  std::vector<std::string> odd;
  std::ranges::set_symmetric_difference(labels, classes, std::back_inserter(odd));
  if (odd.empty()) return;
  fail(Exit::data, options.class_names,
       cat("has other classes than ", options.train, ": '", odd.front(), "' is in one of them alone"),
       "two tasks are compared on the same classes");
}

std::vector<NamedSplit> named_splits(const EvaluateOptions& options, const std::vector<LabelledSplit>& splits,
                                     const std::optional<Labelled>& validation, bool beside_learned) {
  std::optional<std::vector<ClassNames>> given;
  if (!options.class_names.empty()) given = read_class_names(options.class_names);
  std::vector<NamedSplit> all;
  for (const LabelledSplit& split : splits) {
    NamedSplit one{split, given ? *given : class_names_of(split.items.classes), {}};
    const std::vector<std::string> labels = labels_of(one.names);
    if (beside_learned) check_same_classes(options, labels, split.items.classes);
    one.split.items = with_classes(std::move(one.split.items), labels);
    if (validation)
      one.validation = apart_from(with_classes(*validation, labels), one.split.items, options.leave_out_shared);
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

ClassData read_class_data(const EvaluateOptions& options, const std::vector<std::string>& tasks) {
  const bool some_learn = std::ranges::any_of(tasks, learns), some_name = !std::ranges::all_of(tasks, learns);
  ClassData data{.splits = read_splits(options), .learned = {}, .named = {}};
  std::optional<Labelled> validation;
  if (!options.validation.empty()) validation = read(options, options.validation);
  if (some_learn) {
    data.learned = read_learned(options, data.splits, validation);
    validation = data.learned->validation;
  } else if (!options.train.empty()) {
    // Of the baseline alone: the names that are told apart stay what they are.
    std::vector<LabelledSplit> asked = data.splits;
    data.learned = read_learned(options, asked, validation);
  }
  if (some_name) data.named = named_splits(options, data.splits, validation, some_learn);
  return data;
}

}  // namespace duet
