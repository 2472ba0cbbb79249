#include <iostream>
#include <map>

#include "cli/engine.h"
#include "core/format.h"
#include "core/random.h"
#include "run/recipe.h"
#include "training/objectives.h"

namespace duet {
namespace {

std::string shape_of(const torch::Tensor& tensor) {
  std::string text = "[";
  for (std::int64_t i = 0; i < tensor.dim(); ++i) text += cat(i ? ", " : "", tensor.size(i));
  return text + "]";
}

std::int64_t parameters_below(const Model& model, const std::string& prefix) {
  std::int64_t count = 0;
  for (const auto& item : model.named_parameters()) {
    if (item.key().starts_with(prefix)) count += item.value().numel();
  }
  return count;
}

void print_part(const std::string& name, std::int64_t parameters, const std::string& shape) {
  std::cout << name << std::string(name.size() < 24 ? 24 - name.size() : 1, ' ') << grouped(parameters)
            << " parameters  " << shape << "\n";
}

}  // namespace

// The recipe is parsed, the model built, and a batch of two goes through it.
int run_check(const CheckOptions& options) {
  Config config = Config::read(options.recipe);
  for (const std::string& assignment : options.sets) config.set(assignment);
  const Recipe recipe = read_recipe(config);
  const std::int64_t vocabulary =
      recipe.tokenizer.vocabulary + kSpecialCount;  // the corpus may allow fewer pieces
  Model model(recipe.model, vocabulary, recipe.seed);
  model.eval();
  torch::NoGradGuard no_grad;
  torch::Tensor pictures, captions;
  if (model.image) {
    const torch::Tensor images =
        torch::zeros({2, 3, recipe.model.image_size, recipe.model.image_size}, torch::kUInt8);
    pictures = model.image->forward(model.normalize(images));
    print_part("image", parameters_below(model, "image."), cat(shape_of(images), " -> ", shape_of(pictures)));
  }
  const torch::Tensor ids = torch::zeros({2, recipe.model.text.format.context}, torch::kInt64);
  const torch::Tensor valid = torch::ones_like(ids, torch::kBool);
  if (model.text) {
    captions = model.text->forward(ids, valid);
    print_part("text", parameters_below(model, "text."), cat(shape_of(ids), " -> ", shape_of(captions)));
  }
  for (const SpaceSpec& space : recipe.model.spaces) {
    print_part("space " + space.name, parameters_below(model, "spaces." + space.name + "."),
               cat(space.kind, ", ", model.space(space.name).dimension(), " dimensions, weight ",
                   space.auto_weight ? std::string("auto") : cat(space.weight)));
  }
  // Objectives and parameter groups as training would make them: their mistakes show here, too.
  const CorpusStatistics statistics = even_statistics(vocabulary);
  model.prepare_for_corpus(statistics.counts > 0, statistics.idf());
  add_low_rank(model, recipe.train.optimizer.groups, recipe.seed);
  Teachers teachers(model);
  const auto objectives = make_objectives(recipe, model, teachers, unread_sources(recipe, vocabulary));
  const OptimizerOptions& optimizer = recipe.train.optimizer;
  plan_parameters(named_parameters(recipe, model, objectives), optimizer.groups, optimizer.adamw.weight_decay);
  for (const ObjectiveSpec& objective : recipe.objectives) {
    const std::string weight = objective.weight_start == objective.weight_end
                                   ? cat(objective.weight_start)
                                   : cat(objective.weight_start, " to ", objective.weight_end);
    std::cout << "objective " << objective.name << ": " << objective.kind << ", weight " << weight << "\n";
  }
  std::cout << options.recipe << " is fine\n";
  return 0;
}

}  // namespace duet
