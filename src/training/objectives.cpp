#include "training/objectives.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

void check_needs(const Recipe& recipe, const Model& model, const std::string& where, const Needs& needs) {
  std::vector<std::string> views;
  for (const ViewSpec& view : recipe.views) views.push_back(view.name);
  for (const std::string& view : needs.views) {
    if (!model.image) fail(Exit::usage, where, "needs pictures", "add an [image] table");
    const auto found = std::find(views.begin(), views.end(), view);
    if (found == views.end()) {
      fail(Exit::usage, where, cat("asks for the view '", view, "'", did_you_mean(view, views)),
           cat("add a [views.", view, "] table; there are ", joined(views)));
    }
    const ViewSpec& spec = recipe.views[static_cast<std::size_t>(found - views.begin())];
    if (const std::int64_t patch = model.image->patch_size(); patch > 0 && spec.size % patch != 0) {
      fail(Exit::usage, where,
           cat("the view '", view, "' of ", spec.size, " pixels is no multiple of the patch, ", patch),
           cat("set views.", view, ".size to a multiple of ", patch));
    }
    if (needs.picture_size && spec.size != recipe.model.image_size) {
      fail(Exit::usage, where,
           cat("needs the view '", view, "' as large as the pictures, ", recipe.model.image_size, " pixels"),
           cat("leave views.", view, ".size out"));
    }
    if (spec.count < needs.copies) {
      fail(Exit::usage, where, cat("needs ", needs.copies, " copies of each picture in the view '", view, "'"),
           cat("set views.", view, ".count = ", needs.copies));
    }
  }
  if (needs.texts && !model.text) fail(Exit::usage, where, "needs captions", "add a [text] table");
  if (needs.mixed_tokens && !model.text->mixes_tokens()) {
    fail(Exit::usage, where, "needs a caption tower whose pieces see each other",
         "set text.kind = \"transformer\"");
  }
  if (needs.patches && !model.image->has_patches()) {
    fail(Exit::usage, where, "needs a picture tower that sees single patches", "set image.kind = \"vit\"");
  }
  if (!needs.pooled_only() && recipe.train.micro_batch > 0) {
    fail(Exit::usage, where,
         "looks at single tokens or encodes the batch anew, which a micro batch does not allow",
         "leave train.micro_batch out");
  }
  if (needs.concepts && recipe.train.per_concept < 2) {
    fail(Exit::usage, where, "needs several pictures of a concept in a batch",
         "set train.per_concept to 2 or more");
  }
}

void check_source(const std::string& name, const SourceFacts& source, const std::string& where,
                  const Needs& needs) {
  const auto refuse = [&](std::string_view what, std::string_view remedy) {
    fail(Exit::usage, where, cat("needs ", what, ", and the source '", name, "' has none"),
         std::string(remedy));
  };
  if (!needs.views.empty() && !source.pictures) refuse("pictures", "name another 'source'");
  if (needs.texts && !source.texts) refuse("texts", "name another 'source'");
  if (needs.follows && !source.follows) {
    refuse("texts that stand together",
           "give documents of several sentences (a blank line between documents), or "
           "pictures with several captions");
  }
}

}  // namespace

std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model, Teachers& teachers,
                                                        const std::map<std::string, SourceFacts>& sources,
                                                        std::int64_t steps) {
  std::vector<std::shared_ptr<Objective>> objectives;
  for (const ObjectiveSpec& spec : recipe.objectives) {
    const SourceFacts& source = sources.at(spec.source);
    objectives.push_back(spec.make({.where = spec.where,
                                    .model = &model,
                                    .statistics = &source.statistics,
                                    .corpus = source.corpus,
                                    .teachers = &teachers,
                                    .batch = recipe.train.batch,
                                    .steps = steps,
                                    .init = Init(recipe.seed) / "objective" / spec.name}));
    const std::string where = cat(spec.where, ": ", spec.name);
    check_needs(recipe, model, where, objectives.back()->needs());
    check_source(spec.source, source, where, objectives.back()->needs());
  }
  return objectives;
}

std::map<std::string, SourceFacts> unread_sources(const Recipe& recipe, std::int64_t vocabulary) {
  std::map<std::string, SourceFacts> sources = {{"pairs", {.statistics = even_statistics(vocabulary)}}};
  for (const SideSource& source : recipe.data.beside)
    sources.emplace(source.name, SourceFacts{.statistics = even_statistics(vocabulary)});
  return sources;
}

void check_objectives(const Recipe& recipe) {
  const std::int64_t vocabulary = recipe.tokenizer.vocabulary + kSpecialCount;
  Model model(recipe.model, vocabulary, recipe.seed);
  add_low_rank(model, recipe.train.optimizer.groups, recipe.seed);
  Teachers teachers(model);
  const auto objectives = make_objectives(recipe, model, teachers, unread_sources(recipe, vocabulary), 1);
  const OptimizerOptions& options = recipe.train.optimizer;
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
