// Towers of earlier runs, where a new one starts: pretraining on pictures alone or texts alone goes on as
// training on pairs.
#pragma once
#include <string>

#include "run/recipe.h"
#include "text/tokenizer.h"

namespace duet {

// train.init_image and train.init_text, RUN folders: their best model's tower, running statistics included, in
// the place of the model's own. Error(artifact) naming every parameter that is missing, unexpected or of
// another shape; Error(usage) when the run has no such tower. Warns when that run saw pictures prepared in
// another way.
void take_over_towers(const Recipe& recipe, Model& model);

// The pieces that the text tower of train.init_text knows.
Tokenizer taken_over_tokenizer(const Recipe& recipe);

}  // namespace duet
