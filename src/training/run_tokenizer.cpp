#include "training/run_tokenizer.h"

#include "training/take_over.h"

namespace duet {

std::optional<Tokenizer> make_tokenizer(const Recipe& recipe, const TrainingData& data) {
  if (!recipe.model.text.make) return {};
  if (!recipe.train.init_text.empty()) return taken_over_tokenizer(recipe);
  if (!recipe.tokenizer.model.empty()) return Tokenizer::load(recipe.tokenizer.model);
  return Tokenizer::train(training_texts(data), recipe.tokenizer);
}

}  // namespace duet
