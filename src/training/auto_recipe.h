// A recipe for one's own pictures, picked by the size of the data: what `duet train --data photos.csv` uses.
#pragma once
#include <cstdint>
#include <string>

#include "datasets/source.h"

namespace duet {

// TOML text with comments; `data` as the user typed it.
std::string auto_recipe(const Source& source, const std::string& data);

}  // namespace duet
