// Learned words before the classes' names, through the frozen text tower (CoOp, Zhou et al. 2022): class
// vectors as a function of context vectors.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "adaptation/method.h"

namespace duet {

// Each name of each class as a text "[specials] word ... word name [specials]".
struct PromptTexts {
  torch::Tensor ids, valid;  // [T, L]
  std::int64_t first = 0;    // where the words stand
  std::int64_t words = 0;    // M
  torch::Tensor owner;       // [T] int64: the class
};
// `words`: ids that stand before the names; a name that leaves no room for them is cut.
PromptTexts prompt_texts(const AdaptationTask& task, const std::vector<std::int64_t>& words);

class Prompts {
 public:
  // The rows of `class_vectors` [C, D] serve the spaces that do not read the text tower's feature (pieces and
  // ridge): no learned word changes those.
  Prompts(const EmbedSetting& setting, PromptTexts texts, torch::Tensor class_vectors);
  // False when no weighted space reads the text tower's feature.
  bool can_learn() const;
  // The vectors of the words that stand there, [M, width], without positions.
  torch::Tensor word_vectors() const;
  // change [M, width]: what is added to them -> [C, D] unit, on the CPU. (As a change, so that the tower's own
  // embed() adds the positions, and no change is the plain text, bit for bit.)
  torch::Tensor class_vectors(const torch::Tensor& change) const;

 private:
  torch::Tensor learned_part(std::string_view space, const torch::Tensor& pooled) const;

  Model& model_;
  PromptTexts texts_;
  torch::Tensor embedded_;  // [T, L, width]
  torch::Tensor fixed_;     // [C, D]
  torch::Tensor mean_;      // [C, T]: the mean over a class's texts
};

}  // namespace duet
