#include "training/objectives.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

void check_needs(const Recipe& recipe, const Model& model, const ObjectiveSpec& spec, const Needs& needs) {
  const std::string where = cat("[[objective]] ", spec.name);
  std::vector<std::string> views;
  for (const ViewSpec& view : recipe.views) views.push_back(view.name);
  for (const std::string& view : needs.views) {
    if (!model.image) fail(Exit::usage, where, "needs pictures", "add an [image] table");
    if (std::find(views.begin(), views.end(), view) != views.end()) continue;
    fail(Exit::usage, where, cat("asks for the view '", view, "'", did_you_mean(view, views)),
         cat("add a [views.", view, "] table; there are ", joined(views)));
  }
  if (needs.texts && !model.text) fail(Exit::usage, where, "needs captions", "add a [text] table");
  if (!needs.pooled_only && recipe.train.micro_batch > 0) {
    fail(Exit::usage, where, "looks at single tokens, which a micro batch does not keep",
         "leave train.micro_batch out");
  }
  if (needs.concepts && recipe.train.per_concept < 2) {
    fail(Exit::usage, where, "needs several pictures of a concept in a batch",
         "set train.per_concept to 2 or more");
  }
}

bool trains(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const torch::Tensor& p) { return p.requires_grad(); });
}

}  // namespace

std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model,
                                                        const Tokenizer* tokenizer,
                                                        const CorpusStatistics& statistics,
                                                        std::int64_t steps) {
  std::vector<std::shared_ptr<Objective>> objectives;
  for (const ObjectiveSpec& spec : recipe.objectives) {
    objectives.push_back(spec.make({.model = &model,
                                    .tokenizer = tokenizer,
                                    .statistics = &statistics,
                                    .steps = steps,
                                    .init = Init(recipe.seed) / "objective" / spec.name}));
    check_needs(recipe, model, spec, objectives.back()->needs());
  }
  return objectives;
}

NamedTensors named_parameters(const Recipe& recipe, const Model& model,
                              const std::vector<std::shared_ptr<Objective>>& objectives) {
  NamedTensors parameters;
  for (const auto& item : model.named_parameters()) parameters.emplace_back(item.key(), item.value());
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    for (const auto& item : objectives[i]->named_parameters()) {
      parameters.emplace_back(cat("objective.", recipe.objectives[i].name, ".", item.key()), item.value());
    }
  }
  return parameters;
}

void set_training_mode(Model& model) {
  model.train();
  if (model.image && !trains(*model.image)) model.image->eval();
  if (model.text && !trains(*model.text)) model.text->eval();
}

}  // namespace duet
