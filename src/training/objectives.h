// The objectives of a recipe on a model, and all parameters that they train; `duet check` builds them as the
// trainer does.
#pragma once
#include <memory>
#include <vector>

#include "losses/objective.h"
#include "optim/groups.h"
#include "run/recipe.h"

namespace duet {

// Error(usage) naming the objective when it needs a view, a tower or tokens that the recipe does not give it.
std::vector<std::shared_ptr<Objective>> make_objectives(const Recipe& recipe, Model& model,
                                                        const CorpusStatistics& statistics, std::int64_t steps);

// Parameters by their file names: image.*, text.*, spaces.NAME.*, objective.NAME.*.
NamedTensors named_parameters(const Recipe& recipe, const Model& model,
                              const std::vector<std::shared_ptr<Objective>>& objectives);

// Training mode, but for towers that are frozen whole: their running statistics and dropout stay out of it.
void set_training_mode(Model& model);

}  // namespace duet
