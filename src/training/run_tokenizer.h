// The tokenizer that a new run begins with.
#pragma once
#include <optional>

#include "training/training_data.h"

namespace duet {

// None for pictures alone. A text tower that is taken over keeps its pieces.
std::optional<Tokenizer> make_tokenizer(const Recipe& recipe, const TrainingData& data);

}  // namespace duet
