#include "run/recipe.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "run/objective_needs.h"

namespace duet {

namespace {

// A folder, however its path is spelled ("photos/", "."), is called as it is, a file without its ending.
std::string own_name(const std::string& data) {
  if (data.empty()) return {};
  std::error_code none;
  fs::path path = fs::absolute(data).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return (fs::is_directory(path, none) ? path.filename() : path.stem()).string();
}

}  // namespace

NamedSource named_source(const std::string& entry, const SourceOptions& like,
                         const std::vector<std::string>& others) {
  std::error_code none;  // what is there as a whole is a path, however it is spelled
  const auto equals = fs::exists(entry, none) ? std::string::npos : entry.find('=');
  NamedSource split{.name = {}, .options = like};
  split.options.data = equals == std::string::npos ? entry : entry.substr(equals + 1);
  split.options.format = "auto";
  split.name = equals == std::string::npos ? own_name(entry) : entry.substr(0, equals);
  constexpr std::string_view kRemedy = "write NAME=PATH";
  if (split.name.empty()) fail(Exit::usage, entry, "tells no name for this split", kRemedy);
  const auto is_taken = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), split.name) != names.end();
  };
  if (is_taken(others) || is_taken({"schema_version", "model", "step", "loss", "lr", "gradient_norm"})) {
    fail(Exit::usage, entry, cat("'", split.name, "' cannot name this split: the name is taken"), kRemedy);
  }
  return split;
}

namespace {

// [[data.source]]: what the pairs leave of the steps.
void read_sources(Config& data, DataSpec& spec, std::vector<std::string> names) {
  names.emplace_back("pairs");
  double shares = 0;
  for (Config& config : data.tables("source")) {
    SideSource source{.name = config.required_text("name"),
                      .where = config.where(),
                      .options = read_source_options(config, "data"),
                      .validation = config.text("validation", ""),
                      .share = config.number("share", 0.5, {0, 1})};
    if (std::find(names.begin(), names.end(), source.name) != names.end())
      config.fail("name", cat("two sources or splits are called '", source.name, "'"),
                  "give each a name of its own");
    if (source.options.data.empty())
      config.fail("", "a [[data.source]] needs 'data'", "name a text file, a manifest or a folder of pictures");
    shares += source.share;
    if (source.share <= 0 || shares >= 1)
      config.fail("share", cat("the sources' shares come to ", shares, " of the steps"),
                  "each is above 0, and together they leave something to the pairs");
    names.push_back(source.name);
    spec.beside.push_back(std::move(source));
  }
}

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
  read_sources(data, spec, names);
  spec.split = data.number("split", spec.split, {0, 0.5});
  if (spec.split > 0 && !spec.validation.empty()) {
    data.fail("split", "splits validation data off, but validation is given", "keep one of the two");
  }
  spec.train_share = data.number("train_share", spec.train_share, {1e-6, 1});
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

TrainSpec read_train(Config train, const ModelSpec& model) {
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
  const bool has_pairs = model.image && model.text.make;
  spec.metric = train.choice("metric", has_pairs ? spec.metric : "loss",
                             {"recall_at_1", "recall_at_5", "recall_at_10", "loss"});
  if (!has_pairs && spec.metric != "loss")
    train.fail("metric", cat("'", spec.metric, "' needs pictures and captions"), "use metric = \"loss\"");
  spec.init_image = train.text("init_image", "");
  spec.init_text = train.text("init_text", "");
  if (!spec.init_image.empty() && !model.image)
    train.fail("init_image", "there is no picture tower", "add an [image] table");
  if (!spec.init_text.empty() && !model.text.make)
    train.fail("init_text", "there is no caption tower", "add a [text] table");
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

// Each stage names its objectives; the others rest. Shares are scaled to sum to 1.
std::vector<StageSpec> read_stages(Config& recipe, std::vector<ObjectiveSpec>& objectives) {
  std::vector<StageSpec> stages;
  std::vector<std::string> names;
  for (const ObjectiveSpec& objective : objectives) names.push_back(objective.name);
  std::vector<Config> tables = recipe.tables("stage");
  if (tables.empty()) return {StageSpec{}};
  double sum = 0;
  for (Config& table : tables) {
    StageSpec stage;
    stage.name = table.text("name", cat("stage ", stages.size() + 1));
    const double share = table.number("share", 1, {1e-6, 1e6});
    stage.begin = sum;
    stage.end = sum += share;
    stage.lr_scale = table.number("lr_scale", 1, {0, 1e4});
    stages.push_back(std::move(stage));
  }
  std::vector<bool> is_named(objectives.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].begin /= sum;
    stages[i].end = i + 1 == stages.size() ? 1 : stages[i].end / sum;
    const std::vector<std::string> active = tables[i].texts("objectives", {});
    if (active.empty())
      tables[i].fail("", "a [[stage]] needs 'objectives'", cat("name some of ", joined(names)));
    for (const std::string& name : active) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end())
        tables[i].fail("objectives", cat("there is no objective '", name, "'", did_you_mean(name, names)),
                       cat("there are ", joined(names)));
      const auto at = static_cast<std::size_t>(found - names.begin());
      objectives[at].stages.emplace_back(stages[i].begin, stages[i].end);
      is_named[at] = true;
    }
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (!is_named[i])
      fail(Exit::usage, objectives[i].where, cat("no [[stage]] names the objective '", names[i], "'"),
           "add it to the 'objectives' of one");
  }
  return stages;
}

Surroundings surroundings(const Recipe& recipe) {
  Surroundings around{.model = &recipe.model, .batch = recipe.train.batch};
  for (const ViewSpec& view : recipe.views) around.view_sizes[view.name] = view.size;
  return around;
}

void check_sources(const DataSpec& data, const std::vector<ObjectiveSpec>& objectives) {
  std::vector<std::string> names = {"pairs"}, seen;
  for (const SideSource& source : data.beside) names.push_back(source.name);
  for (const ObjectiveSpec& objective : objectives) {
    seen.push_back(objective.source);
    if (std::find(names.begin(), names.end(), objective.source) != names.end()) continue;
    fail(Exit::usage, objective.where,
         cat("there is no source '", objective.source, "'", did_you_mean(objective.source, names)),
         cat("there are ", joined(names), "; add a [[data.source]]"));
  }
  for (const std::string& name : names) {
    if (std::find(seen.begin(), seen.end(), name) == seen.end())
      fail(Exit::usage, cat("source '", name, "'"), "no objective sees it",
           name == "pairs" ? "leave one objective its source \"pairs\""
                           : cat("give an objective source = \"", name, "\""));
  }
}

}  // namespace

double pairs_share(const DataSpec& data) {
  double rest = 1;
  for (const SideSource& source : data.beside) rest -= source.share;
  return rest;
}

namespace {

// (A share of 0.55 of 100 steps is a little above 55 in floating point.)
std::int64_t first_step(double share, std::int64_t steps) {
  return std::min(steps, static_cast<std::int64_t>(std::ceil(share * static_cast<double>(steps) - 1e-6)));
}

}  // namespace

const StageSpec& stage_at(const Recipe& recipe, std::int64_t step, std::int64_t steps) {
  auto stage = recipe.stages.begin();
  while (stage + 1 != recipe.stages.end() && step >= first_step(stage->end, steps)) ++stage;
  return *stage;
}

double lr_share_of(const Recipe& recipe, std::int64_t step, std::int64_t steps) {
  const StageSpec& stage = stage_at(recipe, step, steps);
  const std::int64_t begin = first_step(stage.begin, steps), end = first_step(stage.end, steps);
  return stage.lr_scale * lr_share(recipe.train.optimizer.schedule, step - begin, end - begin);
}

Source read_recipe_source(const SourceOptions& options, bool need_captions) {
  std::error_code none;
  const bool is_lost = fs::path(options.data).is_relative() && !fs::exists(options.data, none);
  try {
    return read_source(options, need_captions);
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
  recipe.train = read_train(config.table("train"), recipe.model);
  recipe.objectives = read_objectives(config, surroundings(recipe));
  check_sources(recipe.data, recipe.objectives);
  recipe.stages = read_stages(config, recipe.objectives);
  check_always_active(config, recipe.objectives);
  recipe.data.loader.seed = recipe.seed;
  recipe.data.loader.pad_to_context = recipe.model.text.pad_to_context;
  config.finish();
  check_needs(recipe);
  recipe.toml = config.to_toml();
  return recipe;
}

}  // namespace duet
