#include "training/objectives.h"

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

const Source& source_of(const ObjectiveSpec& objective, const TrainingData& data) {
  for (const Source& source : data.beside) {
    if (source.name == objective.source) return source;
  }
  return data.train;
}

void check_source(const ObjectiveSpec& objective, const Source& source) {
  const Needs& needs = objective.needs;
  const auto refuse = [&](std::string_view what, std::string_view remedy) {
    fail(Exit::usage, cat(objective.where, ": ", objective.name),
         cat("needs ", what, ", and the source '", objective.source, "' has none"), remedy);
  };
  if (!needs.views.empty() && !source.has_pictures()) refuse("pictures", "name another 'source'");
  if (needs.texts && !source.has_texts()) refuse("texts", "name another 'source'");
  if (needs.follows && !source.has_follows()) {
    refuse("texts that stand together",
           "give documents of several sentences (a blank line between documents), or "
           "pictures with several captions");
  }
}

void check_batch(const Recipe& recipe, const Source& source, const std::string& where,
                 const std::string& name) {
  const auto rows = static_cast<std::int64_t>(source.pairs.size());
  if (recipe.train.batch <= rows) return;
  fail(Exit::usage, where,
       cat("a batch of ", recipe.train.batch, " is larger than ", name, ", which has ", rows,
           source.has_pictures() ? " pictures" : " sentences"),
       cat("set train.batch to at most ", rows));
}

}  // namespace

void check_data(const Recipe& recipe, const TrainingData& data) {
  for (const ObjectiveSpec& objective : recipe.objectives) check_source(objective, source_of(objective, data));
  check_batch(recipe, data.train, "train.batch", "the data");
  for (std::size_t i = 0; i < data.beside.size(); ++i)
    check_batch(recipe, data.beside[i], recipe.data.beside[i].where,
                cat("the source '", data.beside[i].name, "'"));
}

void check_texts(const Recipe& recipe, const std::map<std::string, SourceFacts>& sources) {
  for (const ObjectiveSpec& objective : recipe.objectives) {
    const SourceFacts& source = sources.at(objective.source);
    if (!source.corpus.texts) continue;
    const std::int64_t held = (source.statistics.counts > 0).sum().item<std::int64_t>();
    if (held < objective.needs.pieces) {
      fail(Exit::usage, cat(objective.where, ": ", objective.name),
           cat("needs texts of at least ", objective.needs.pieces,
               " different pieces, and those of the source '", objective.source, "' hold ", held),
           "give more text, or a larger tokenizer.vocabulary");
    }
    if (objective.check_texts) objective.check_texts(source.corpus);
  }
}

std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model, Teachers& teachers,
                                                        const std::map<std::string, SourceFacts>& sources) {
  std::vector<std::shared_ptr<Objective>> objectives;
  for (const ObjectiveSpec& spec : recipe.objectives) {
    const SourceFacts& source = sources.at(spec.source);
    objectives.push_back(spec.make({.model = &model,
                                    .statistics = &source.statistics,
                                    .corpus = source.corpus,
                                    .teachers = &teachers,
                                    .init = Init(recipe.seed) / "objective" / spec.name}));
  }
  return objectives;
}

std::map<std::string, SourceFacts> unread_sources(const Recipe& recipe, std::int64_t vocabulary) {
  std::map<std::string, SourceFacts> sources = {{"pairs", {.statistics = even_statistics(vocabulary)}}};
  for (const SideSource& source : recipe.data.beside)
    sources.emplace(source.name, SourceFacts{.statistics = even_statistics(vocabulary)});
  return sources;
}

void check_groups(const Recipe& recipe) {
  const OptimizerOptions& options = recipe.train.optimizer;
  if (options.groups.empty()) return;
  const std::int64_t vocabulary = recipe.tokenizer.vocabulary + kSpecialCount;
  Model model(recipe.model, vocabulary, recipe.seed);
  add_low_rank(model, options.groups, recipe.seed);
  Teachers teachers(model);
  const auto objectives = make_objectives(recipe, model, teachers, unread_sources(recipe, vocabulary));
  plan_parameters(named_parameters(recipe, model, objectives), options.groups, options.adamw.weight_decay);
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

}  // namespace duet
