#include "run/recipe.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"

namespace duet {
NamedSource named_source(const std::string& entry, const SourceOptions& like,
                         const std::vector<std::string>& others) {
  std::error_code none;  // what is there as a whole is a path, however it is spelled
  const auto equals = fs::exists(entry, none) ? std::string::npos : entry.find('=');
  NamedSource split{.name = {}, .options = like};
  split.options.data = equals == std::string::npos ? entry : entry.substr(equals + 1);
  split.options.format = "auto";
  split.name = equals == std::string::npos ? fs::path(entry).stem().string() : entry.substr(0, equals);
  const auto is_taken = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), split.name) != names.end();
  };
  if (split.name.empty() || is_taken(others) ||
      is_taken({"schema_version", "model", "step", "loss", "lr", "gradient_norm"})) {
    fail(Exit::usage, entry, cat("'", split.name, "' cannot name this split: the name is taken"),
         "write NAME=PATH");
  }
  return split;
}

namespace {

DataSpec read_data(Config data) {
  DataSpec spec;
  spec.train = read_source_options(data, "train");
  if (spec.train.data.empty())
    data.fail("train", "'train' is missing", "name a manifest, a folder of pictures, or \"shapes\"");
  std::vector<std::string> names;
  for (const std::string& entry : data.texts("validation", {})) {
    spec.validation.push_back(named_source(entry, spec.train, names));
    names.push_back(spec.validation.back().name);
  }
  spec.split = data.number("split", spec.split, {0, 0.5});
  if (spec.split > 0 && !spec.validation.empty()) {
    data.fail("split", "splits validation data off, but validation is given", "keep one of the two");
  }
  spec.query_columns = data.texts("query_columns", {});
  spec.loader = read_loader_options(data);
  spec.captions = read_caption_options(data);
  return spec;
}

// A run or bundle that an earlier version saved may hold minutes beside the steps that they came to.
bool is_stored(const fs::path& recipe) {
  if (recipe.empty()) return false;
  const fs::path folder = fs::absolute(recipe).parent_path();
  return fs::exists(folder / "manifest.json") || fs::exists(folder.parent_path() / "manifest.json");
}

void check_budget(const Config& train, const TrainSpec& spec) {
  constexpr std::string_view kRemedy = "set one of steps, epochs and minutes";
  std::vector<std::string> given;
  if (spec.steps > 0) given.emplace_back("steps");
  if (spec.epochs > 0) given.emplace_back("epochs");
  if (spec.minutes > 0) given.emplace_back("minutes");
  if (given.empty()) train.fail("", "[train] has no budget", kRemedy);
  if (given.size() == 1 || is_stored(train.file())) return;
  train.fail(given.back(), cat("'", joined(given, "' and '"), "' in [train] are more than one budget"),
             kRemedy);
}

TrainSpec read_train(Config train) {
  TrainSpec spec;
  constexpr std::int64_t kMany = 1'000'000'000;
  spec.batch = train.integer("batch", spec.batch, 2, 1'000'000);
  spec.micro_batch = train.integer("micro_batch", spec.micro_batch, 0, spec.batch);
  spec.per_concept = train.integer("per_concept", spec.per_concept, 1, spec.batch);
  spec.steps = train.integer("steps", spec.steps, 0, kMany);
  spec.epochs = train.number("epochs", spec.epochs, {0, 1e6});
  spec.minutes = train.number("minutes", spec.minutes, {0, 1e6});
  check_budget(train, spec);
  spec.precision = train.choice("precision", spec.precision, {"auto", "fp32", "bf16"});
  spec.log_every = train.integer("log_every", spec.log_every, 1, kMany);
  spec.evaluations = train.integer("evaluations", spec.evaluations, 1, 10'000);
  spec.checkpoint_minutes = train.number("checkpoint_minutes", spec.checkpoint_minutes, {0.01, 1e6});
  spec.keep = train.integer("keep", spec.keep, 1, 1000);
  spec.metric = train.choice("metric", spec.metric, {"recall_at_1", "recall_at_5", "recall_at_10"});
  spec.optimizer = read_optimizer(train);
  return spec;
}

void check_weights(Config& recipe, const std::vector<SpaceSpec>& spaces) {
  const auto counts = [](const SpaceSpec& space) { return space.auto_weight || space.weight > 0; };
  if (spaces.empty() || std::any_of(spaces.begin(), spaces.end(), counts)) return;
  recipe.tables("space").back().fail("weight", "no embedding space has a weight",
                                     "give one [[space]] a weight above 0, or \"auto\"");
}

// The views that objectives ask for; each has a [views.NAME] table or is the plain picture.
std::vector<ViewSpec> read_views(Config views, const ModelSpec& model) {
  std::vector<ViewSpec> specs;
  for (const std::string& name : views.keys()) {
    Config table = views.table(name);
    specs.push_back(read_view(table, name));
  }
  if (specs.empty() && model.image) specs.push_back({});
  for (ViewSpec& view : specs) {
    if (view.size == 0) view.size = static_cast<int>(model.image_size);
  }
  return specs;
}

}  // namespace

Source read_recipe_source(const SourceOptions& options) {
  std::error_code none;
  const bool is_lost = fs::path(options.data).is_relative() && !fs::exists(options.data, none);
  try {
    return read_source(options);
  } catch (const Error& error) {
    if (!is_lost || error.exit() != Exit::data) throw;
    throw Error(Exit::data,
                cat(error.what(),
                    "; a recipe's paths start at the folder where duet is started: start it there, or "
                    "name the data (duet train: --set data.train=PATH, duet evaluate: --data PATH)"));
  }
}

Recipe read_recipe(Config config) {
  Recipe recipe;
  recipe.seed = static_cast<std::uint64_t>(config.integer("seed", 1, 0, INT64_MAX));
  recipe.data = read_data(config.table("data"));
  Config tokenizer = config.table("tokenizer");
  recipe.tokenizer = read_tokenizer_options(tokenizer);
  recipe.model = read_model(config);
  check_weights(config, recipe.model.spaces);
  recipe.preprocessing = {.size = static_cast<int>(recipe.model.image_size),
                          .resize = recipe.model.resize,
                          .mean = recipe.model.mean,
                          .std = recipe.model.std};
  recipe.views = read_views(config.table("views"), recipe.model);
  recipe.objectives = read_objectives(config);
  recipe.train = read_train(config.table("train"));
  recipe.data.loader.seed = recipe.seed;
  recipe.data.loader.pad_to_context = recipe.model.text.pad_to_context;
  config.finish();
  recipe.toml = config.to_toml();
  return recipe;
}

}  // namespace duet
