#include <iostream>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/retrieval.h"
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
  if (!options.data.empty()) return splits;
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

// Into RUN/results.json, which holds the scores of one model: the best.
void save_results(const EvaluateOptions& options, const SavedModel& saved, const nlohmann::json& results) {
  if (saved.folder == fs::path(options.run)) {
    log_info("not saved: nothing is added to a sealed folder");
    return;
  }
  const fs::path file = fs::path(options.run) / "results.json";
  if (options.checkpoint != "best") {
    log_info(cat("not saved: ", file.string(), " is for the best checkpoint, these are scores of ",
                 options.checkpoint));
    return;
  }
  nlohmann::json all =
      fs::exists(file) ? nlohmann::json::parse(read_file(file), nullptr, false) : nlohmann::json();
  const bool same_model = all.is_object() && all.value("model", "") == saved.identity;
  if (all.is_object() && !same_model)
    log_info(cat(file.string(), " held scores of another model; they are replaced"));
  if (!same_model) all = nlohmann::json::object();
  all.update(results);
  replace_file(file, all.dump(2) + "\n");
  log_info(cat("wrote ", file.string()));
}

}  // namespace

int run_evaluate(const EvaluateOptions& options) {
  if (options.objectives) return evaluate_objectives(options);
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  if (saved.recipe.model.spaces.empty())
    fail(Exit::usage, saved.folder.string(), "is one tower, which finds nothing", "give --objectives");
  nlohmann::json results = {{"schema_version", 1}, {"model", saved.identity}, {"step", saved.step}};
  nlohmann::json splits = nlohmann::json::object();
  for (Split& split : read_splits(options, saved.recipe)) {
    EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction);
    setting.progress = true;
    const RetrievalResult result = evaluate_retrieval(setting, split.source);
    warn_bad_pictures(split.source, result.bad);
    splits[split.name] = to_json(result, split.data);
  }
  results.update(splits);
  if (options.json) {
    std::cout << results.dump(2) << "\n";
  } else {
    print_table(splits);
  }
  std::cout.flush();  // before the saving, which may fail
  if (options.save) save_results(options, saved, results);
  return 0;
}

}  // namespace duet
