#include "losses/objective.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/error.h"
#include "core/format.h"

namespace duet {

ObjectiveMaker read_info_nce(Config& config);
ObjectiveMaker read_sigmoid(Config& config);
ObjectiveMaker read_same_concept(Config& config);
ObjectiveMaker read_caption_tokens(Config& config);
ObjectiveMaker read_captioning(Config& config);
ObjectiveMaker read_image_text_matching(Config& config);
ObjectiveMaker read_simclr(Config& config);
ObjectiveMaker read_moco(Config& config);
ObjectiveMaker read_byol(Config& config);
ObjectiveMaker read_self_distillation(Config& config);
ObjectiveMaker read_masked_feature(Config& config);
ObjectiveMaker read_rotation(Config& config);
ObjectiveMaker read_jigsaw(Config& config);
ObjectiveMaker read_inpainting(Config& config);
ObjectiveMaker read_masked_patch(Config& config);
ObjectiveMaker read_autoencoder(Config& config);
ObjectiveMaker read_masked_lm(Config& config);
ObjectiveMaker read_autoregressive_lm(Config& config);
ObjectiveMaker read_denoising(Config& config);
ObjectiveMaker read_next_sentence(Config& config);
ObjectiveMaker read_word2vec(Config& config);
ObjectiveMaker read_glove(Config& config);

const std::vector<ObjectiveKind>& objective_kinds() {
  static const std::vector<ObjectiveKind> kinds = {
      {"info_nce", read_info_nce},
      {"sigmoid", read_sigmoid},
      {"same_concept", read_same_concept},
      {"caption_tokens", read_caption_tokens},
      {"captioning", read_captioning},
      {"image_text_matching", read_image_text_matching},
      {"simclr", read_simclr},
      {"moco", read_moco},
      {"byol", read_byol},
      {"self_distillation", read_self_distillation},
      {"masked_feature", read_masked_feature},
      {"rotation", read_rotation},
      {"jigsaw", read_jigsaw},
      {"inpainting", read_inpainting},
      {"masked_patch", read_masked_patch},
      {"autoencoder", read_autoencoder},
      {"masked_lm", read_masked_lm},
      {"autoregressive_lm", read_autoregressive_lm},
      {"denoising", read_denoising},
      {"next_sentence", read_next_sentence},
      {"word2vec", read_word2vec},
      {"glove", read_glove},
  };
  return kinds;
}

namespace {

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const auto& kind : objective_kinds()) names.emplace_back(kind.name);
  return names;
}

void read_weight(Config& config, ObjectiveSpec& spec) {
  const auto weight = config.numbers("weight", {1}, {0, 1e6});
  if (weight.empty() || weight.size() > 2) {
    config.fail("weight", cat("'weight' has ", weight.size(), " numbers"), "write a number, or [start, end]");
  }
  spec.weight_start = weight.front();
  spec.weight_end = weight.back();
}

// Names become parts of parameter names (objective.NAME.*), which are a file format.
void check_name(const Config& config, const std::string& name) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), allowed)) {
    config.fail("name", cat("'", name, "' is no name for an objective"), "use letters, digits, '_' and '-'");
  }
}

ObjectiveSpec read_objective(Config& config) {
  if (!config.has("kind"))
    config.fail("", "an [[objective]] needs a 'kind'", cat("one of ", joined(kind_names())));
  ObjectiveSpec spec;
  spec.kind = config.choice("kind", "", kind_names());
  spec.where = config.where("kind");
  spec.name = config.text("name", spec.kind);
  spec.source = config.text("source", spec.source);
  check_name(config, spec.name);
  read_weight(config, spec);
  spec.from = config.number("from", spec.from, {0, 1});
  spec.until = config.number("until", spec.until, {0, 1});
  if (spec.from >= spec.until) {
    config.fail("until", cat("'until' (", spec.until, ") is not after 'from' (", spec.from, ")"),
                "both are shares of the run");
  }
  const auto& kinds = objective_kinds();
  spec.make = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) {
                return k.name == spec.kind;
              })->read(config);
  return spec;
}

bool lies_in(double progress, double from, double until) {
  return progress >= from && (progress < until || until >= 1);
}

double weight_at(const ObjectiveSpec& spec, double progress) {
  if (!lies_in(progress, spec.from, spec.until)) return 0;
  const auto is_now = [progress](const auto& stage) { return lies_in(progress, stage.first, stage.second); };
  if (!spec.stages.empty() && std::none_of(spec.stages.begin(), spec.stages.end(), is_now)) return 0;
  return spec.weight_start + (spec.weight_end - spec.weight_start) * progress;
}

}  // namespace

double ObjectiveSpec::weight(const StepInfo& info) const { return weight_at(*this, info.progress()); }

std::vector<double> moments_of(const std::vector<ObjectiveSpec>& objectives) {
  std::set<double> moments = {0};
  const auto add = [&](double from, double until) { moments.insert({from, until}); };
  for (const ObjectiveSpec& spec : objectives) {
    add(spec.from, spec.until);
    for (const auto& [from, until] : spec.stages) add(from, until);
  }
  moments.erase(1);
  return {moments.begin(), moments.end()};
}

// Weights are linear, so that the first moment without one is where an objective begins or ends.
void check_always_active(const Config& recipe, const std::vector<ObjectiveSpec>& objectives) {
  for (const double moment : moments_of(objectives)) {
    if (std::any_of(objectives.begin(), objectives.end(),
                    [&](const auto& spec) { return weight_at(spec, moment) > 0; }))
      continue;
    recipe.fail("objective", cat("no objective has a weight at ", moment, " of the run"),
                "change 'weight', 'from' or 'until' so that one always has");
  }
}

std::vector<ObjectiveSpec> read_objectives(Config& recipe) {
  std::vector<ObjectiveSpec> specs;
  std::set<std::string> names;
  for (Config& config : recipe.tables("objective")) {
    specs.push_back(read_objective(config));
    if (!names.insert(specs.back().name).second) {
      config.fail(config.has("name") ? "name" : "kind",
                  cat("two objectives are called '", specs.back().name, "'"), "give each a 'name' of its own");
    }
  }
  if (specs.empty()) {
    recipe.fail("", "the recipe has no [[objective]]",
                cat("add one with kind = one of ", joined(kind_names())));
  }
  check_always_active(recipe, specs);  // with stages once more
  return specs;
}

ImageEncoder& Setting::image_tower() const {
  if (!model->image) fail(Exit::usage, where, "needs pictures", "add an [image] table");
  return *model->image;
}

TextEncoder& Setting::text_tower() const {
  if (!model->text) fail(Exit::usage, where, "needs captions", "add a [text] table");
  return *model->text;
}

SpaceChoice read_space(Config& objective, std::string_view fallback) {
  SpaceChoice space;
  space.name = objective.text("space", fallback);
  space.where = objective.where("space");
  return space;
}

Space& SpaceChoice::of(Model& model) const {
  std::vector<std::string> names;
  for (const auto& spec : model.spec().spaces) names.push_back(spec.name);
  if (!model.has_space(name)) {
    fail(Exit::usage, where, cat("the model has no embedding space '", name, "'", did_you_mean(name, names)),
         names.empty() ? "spaces need both [image] and [text]"
                       : cat("it has ", joined(names), "; add a [[space]] of that name"));
  }
  Space& space = model.space(name);
  if (!space.trains()) {
    fail(Exit::usage, where, cat("the space '", name, "' is solved for after training; no objective trains it"),
         "name another [[space]]");
  }
  return space;
}

}  // namespace duet
