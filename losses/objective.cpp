#include "losses/objective.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/error.h"
#include "core/format.h"

namespace duet {

ObjectivePlan read_info_nce(Config& config, const Surroundings& around);
ObjectivePlan read_sigmoid(Config& config, const Surroundings& around);
ObjectivePlan read_same_concept(Config& config, const Surroundings& around);
ObjectivePlan read_caption_tokens(Config& config, const Surroundings& around);
ObjectivePlan read_captioning(Config& config, const Surroundings& around);
ObjectivePlan read_image_text_matching(Config& config, const Surroundings& around);
ObjectivePlan read_simclr(Config& config, const Surroundings& around);
ObjectivePlan read_moco(Config& config, const Surroundings& around);
ObjectivePlan read_byol(Config& config, const Surroundings& around);
ObjectivePlan read_self_distillation(Config& config, const Surroundings& around);
ObjectivePlan read_masked_feature(Config& config, const Surroundings& around);
ObjectivePlan read_rotation(Config& config, const Surroundings& around);
ObjectivePlan read_jigsaw(Config& config, const Surroundings& around);
ObjectivePlan read_inpainting(Config& config, const Surroundings& around);
ObjectivePlan read_masked_patch(Config& config, const Surroundings& around);
ObjectivePlan read_autoencoder(Config& config, const Surroundings& around);
ObjectivePlan read_masked_lm(Config& config, const Surroundings& around);
ObjectivePlan read_autoregressive_lm(Config& config, const Surroundings& around);
ObjectivePlan read_denoising(Config& config, const Surroundings& around);
ObjectivePlan read_next_sentence(Config& config, const Surroundings& around);
ObjectivePlan read_word2vec(Config& config, const Surroundings& around);
ObjectivePlan read_glove(Config& config, const Surroundings& around);

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

ObjectiveSpec read_objective(Config& config, const Surroundings& around) {
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
  static_cast<ObjectivePlan&>(spec) = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) {
                                        return k.name == spec.kind;
                                      })->read(config, around);
  if (!spec.needs.views.empty()) around.image(config);
  if (spec.needs.texts) around.text(config);
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

std::vector<ObjectiveSpec> read_objectives(Config& recipe, const Surroundings& around) {
  std::vector<ObjectiveSpec> specs;
  std::set<std::string> names;
  for (Config& config : recipe.tables("objective")) {
    specs.push_back(read_objective(config, around));
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

const ImageEncoderSpec& Surroundings::image(const Config& objective) const {
  if (!model->image) objective.fail("kind", "needs pictures", "add an [image] table");
  return model->image;
}

const TextEncoderSpec& Surroundings::text(const Config& objective) const {
  if (!model->text.make) objective.fail("kind", "needs captions", "add a [text] table");
  return model->text;
}

std::int64_t Surroundings::size_of(const std::string& view) const {
  const auto found = view_sizes.find(view);
  return found != view_sizes.end() ? found->second : model->image_size;
}

std::string read_space(Config& objective, const Surroundings& around, std::string_view fallback) {
  const std::string name = objective.text("space", fallback);
  std::vector<std::string> names;
  for (const SpaceSpec& space : around.model->spaces) names.push_back(space.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    objective.fail("space", cat("the model has no embedding space '", name, "'", did_you_mean(name, names)),
                   names.empty() ? "spaces need both [image] and [text]"
                                 : cat("it has ", joined(names), "; add a [[space]] of that name"));
  }
  if (!around.model->spaces[static_cast<std::size_t>(found - names.begin())].trains) {
    objective.fail("space", cat("the space '", name, "' is solved for after training; no objective trains it"),
                   "name another [[space]]");
  }
  return name;
}

}  // namespace duet
