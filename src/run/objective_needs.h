// What objectives need of the recipe around them, asked before anything is made of it.
#pragma once
#include "run/recipe.h"

namespace duet {

// Error(usage) at the line of an objective that needs a view, patches, tokens or concepts that the recipe does
// not give it, saying what to set.
void check_needs(const Recipe& recipe);

}  // namespace duet
