// The data of a run, read, checked and split.
#pragma once
#include <string>
#include <vector>

#include "run/recipe.h"

namespace duet {

struct TrainingData {
  Source train;  // "pairs", also where there are pictures or texts alone
  std::vector<Source> validation;
  // [[data.source]] as in the recipe, and what is held out of each (empty where nothing is).
  std::vector<Source> beside, beside_validation;
};
// Reads, checks and (with data.split) splits. `root` overrides where relative picture paths start. Error(data)
// when more pictures are missing than data.max_bad_fraction allows, or the data lacks what the recipe's towers
// see; Error(usage) when it lacks what an objective needs.
TrainingData read_training_data(const Recipe& recipe, const std::string& root);

std::vector<std::string> captions_of(const Source& source);
// Of all training texts, those beside the pairs too: what a tokenizer is trained on.
std::vector<std::string> training_texts(const TrainingData& data);

}  // namespace duet
