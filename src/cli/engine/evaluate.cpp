#include <iostream>

#include "cli/engine.h"
#include "cli/engine/corruption_report.h"
#include "cli/engine/run_results.h"
#include "cli/engine/run_setting.h"
#include "cli/guard.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/format.h"
#include "evaluation/retrieval.h"
#include "evaluation/robustness.h"
#include "training/trainer.h"

namespace duet {
namespace {

struct Split {
  std::string name, data;
  Source source;
};

std::vector<Split> read_splits(const EvaluateOptions& options, Recipe recipe) {
  if (!options.captions.empty()) recipe.data.query_columns = options.captions;
  std::vector<Split> splits;
  const auto add = [&](NamedSource split, bool of_recipe) {
    if (!options.root.empty()) split.options.root = options.root;
    if (!recipe.data.query_columns.empty()) split.options.caption_columns = recipe.data.query_columns;
    splits.push_back({split.name, split.options.data,
                      of_recipe ? read_recipe_source(split.options) : read_source(split.options)});
  };
  std::vector<std::string> names;
  for (const std::string& entry : options.data) {
    add(named_source(entry, recipe.data.train, names), false);
    names.push_back(splits.back().name);
  }
  std::vector<std::string> paths;
  for (const Split& split : splits) paths.push_back(split.data);
  if (!options.data.empty()) {
    check_for_manifests("--root", !options.root.empty(), paths);
    return splits;
  }
  for (const NamedSource& split : recipe.data.validation) add(split, true);
  if (recipe.data.split > 0) {
    TrainingData data = read_training_data(recipe, options.root);
    splits.push_back({"validation", recipe.data.train.data, std::move(data.validation.front())});
  }
  if (splits.empty())
    fail(Exit::usage, "duet evaluate", "the recipe names no validation data", "give --data manifest");
  return splits;
}

void print_table(const nlohmann::json& results) {
  std::cout
      << "split               direction        R@1             R@5    R@10   median rank  queries/gallery\n";
  const auto pad = [](std::string text, std::size_t width) {
    return text.append(text.size() < width ? width - text.size() : 1, ' ');
  };
  for (const auto& [name, split] : results.items()) {
    for (const auto& [direction, label] :
         {std::pair{"text_to_image", "text to image"}, {"image_to_text", "image to text"}}) {
      const auto& s = split[direction];
      std::cout << pad(name, 20) << pad(label, 17)
                << pad(cat(fixed(s["recall_at_1"], 3), " [", fixed(s["recall_at_1_interval"][0], 3), ", ",
                           fixed(s["recall_at_1_interval"][1], 3), "]"),
                       22)
                << pad(fixed(s["recall_at_5"], 3), 7) << pad(fixed(s["recall_at_10"], 3), 7)
                << pad(fixed(s["median_rank"], 1), 13) << split["queries"] << "/" << split["gallery"] << "\n";
    }
  }
}

// How often the first picture is right, text to image, where the pictures are corrupted.
Robustness under_corruptions(EmbedSetting setting, const Source& source, const BadRows& bad,
                             const std::vector<std::string>& kinds) {
  const Source readable = bad.empty() ? source : source.subset(readable_rows(source, bad), source.name);
  const RetrievalTask task = make_task(readable);
  const torch::Tensor texts = embed_texts(setting, task.queries);
  const EmbedSetting aloud = setting;
  setting.progress = false;
  return measure_robustness(aloud, readable, kinds, {}, [&](const Source& pictures) {
    WrongOfBoth wrong;
    for (const std::int64_t rank : rank_pictures(task, texts, embed_images(setting, pictures).rows).ranks)
      wrong.model.push_back(rank > 1);
    return wrong;
  });
}

}  // namespace

int run_evaluate(const EvaluateOptions& options) {
  if (options.objectives) return evaluate_objectives(options);
  if (options.task != "retrieval") return evaluate_task(options);
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  if (saved.recipe.model.spaces.empty())
    fail(Exit::usage, saved.folder.string(), "is one tower, which finds nothing", "give --objectives");
  nlohmann::json results = results_of(saved);
  nlohmann::json splits = nlohmann::json::object();
  std::string corrupted;
  for (Split& split : read_splits(options, saved.recipe)) {
    EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction, options.threads);
    setting.progress = true;
    const RetrievalResult result = evaluate_retrieval(setting, split.source);
    warn_bad_pictures(split.source, result.bad);
    splits[split.name] = to_json(result, split.data);
    if (options.corrupt.empty()) continue;
    const Robustness robustness = under_corruptions(setting, split.source, result.bad, options.corrupt);
    splits[split.name]["corruption"] = to_json(robustness, "recall_at_1");
    corrupted += corruption_text(split.name, robustness, "R@1");
  }
  results.update(splits);
  if (options.json) {
    std::cout << json_text(results);
  } else {
    print_table(splits);
    std::cout << corrupted;
  }
  flush_output();  // before the saving, which may fail
  if (options.save) save_results(options.run, options.checkpoint, saved, results);
  return 0;
}

}  // namespace duet
