// Learned words before the classes' names, through the frozen text tower (CoOp, Zhou et al. 2022): the names'
// vectors as a function of context vectors.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "adaptation/method.h"

namespace duet {

// Each name as a text "[specials] word ... word name [specials]".
struct PromptTexts {
  torch::Tensor ids, valid;  // [M, L]
  std::int64_t first = 0;    // where the words stand
  std::int64_t words = 0;    // W
};
// `words`: ids that stand before the task's names; a name that leaves no room for them is cut.
PromptTexts prompt_texts(const AdaptationTask& task, const std::vector<std::int64_t>& words);

class Prompts {
 public:
  // The rows of `names` serve the spaces that do not read the text tower's feature (pieces and ridge): no
  // learned word changes those.
  Prompts(const EmbedSetting& setting, PromptTexts texts, const NameVectors& names);
  // False when no weighted space reads the text tower's feature.
  bool can_learn() const;
  // The vectors of the words that stand there, [W, width], without positions.
  torch::Tensor word_vectors() const;
  // change: what is added to them, [W, width] before all names or [C, W, width] before those of each class
  // -> [M, D] unit, on the CPU. (As a change, so that the tower's own embed() adds the positions, and no change
  // is the plain text, bit for bit.)
  torch::Tensor name_vectors(const torch::Tensor& change) const;

 private:
  Model& model_;
  PromptTexts texts_;
  torch::Tensor embedded_;  // [M, L, width]
  torch::Tensor fixed_;     // [M, D]
  torch::Tensor class_of_;  // [M] int64
};

}  // namespace duet
