// The objectives of a recipe, on its data and on a model, and all parameters that they train; `duet check`
// makes them as the trainer does.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "losses/objective.h"
#include "optim/groups.h"
#include "run/recipe.h"
#include "training/training_data.h"

namespace duet {

// What objectives need of the data (of the recipe: run/objective_needs.h), asked when its rows are known and
// before a picture is opened or a tokenizer trained. Error(usage) at the objective's line when its source lacks
// pictures, texts or texts that stand together; at the source's when it holds fewer rows than a batch.
void check_data(const Recipe& recipe, const TrainingData& data);

// The texts of one name, as objectives count in them.
struct SourceFacts {
  CorpusStatistics statistics;
  Corpus corpus = {};  // without texts: as if it held all that can be wanted
};
// Error(usage) at the line of an objective for which these texts are too poor. `sources` by name, "pairs" among
// them.
void check_texts(const Recipe& recipe, const std::map<std::string, SourceFacts>& sources);

std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model, Teachers& teachers,
                                                        const std::map<std::string, SourceFacts>& sources);

// For objectives without data.
std::map<std::string, SourceFacts> unread_sources(const Recipe& recipe, std::int64_t vocabulary);

// Refuses, before any data is read, [[train.group]] tables that the optimiser would refuse after it. A model is
// made for it, where there is such a table.
void check_groups(const Recipe& recipe);

// Parameters by their file names: image.*, text.*, spaces.NAME.*, objective.NAME.*.
NamedTensors named_parameters(const Recipe& recipe, const Model& model,
                              const std::vector<std::shared_ptr<Objective>>& objectives);

}  // namespace duet
