// The objectives of a recipe on a model, and all parameters that they train; `duet check` builds them as the
// trainer does.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "losses/objective.h"
#include "optim/groups.h"
#include "run/recipe.h"

namespace duet {

// What the data of one name holds.
struct SourceFacts {
  bool pictures = true, texts = true;
  bool follows = true;  // documents of several sentences, or pictures with several captions
  CorpusStatistics statistics;
  Corpus corpus = {};
};

// `sources` by name, "pairs" among them. Error(usage) naming the objective when it needs a view, a tower,
// tokens or data that the recipe does not give it.
std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model, Teachers& teachers,
                                                        const std::map<std::string, SourceFacts>& sources,
                                                        std::int64_t steps);

// As if each source of the recipe held all that can be wanted: for objectives without data.
std::map<std::string, SourceFacts> unread_sources(const Recipe& recipe, std::int64_t vocabulary);
// Refuses, before any data is read, what make_objectives and plan_parameters would refuse after it.
void check_objectives(const Recipe& recipe);

// Parameters by their file names: image.*, text.*, spaces.NAME.*, objective.NAME.*.
NamedTensors named_parameters(const Recipe& recipe, const Model& model,
                              const std::vector<std::shared_ptr<Objective>>& objectives);

}  // namespace duet
