// How a trained objective shows what it has learned: abilities that some objectives have beside compute(),
// found by dynamic_cast. Draws come from the default generator, as in compute().
#pragma once
#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "encoders/model.h"
#include "losses/encoded_batch.h"

namespace duet {

// What an objective makes of N pictures.
struct PictureGuess {
  struct Column {
    std::string name;        // "hidden", "told", "truth"
    torch::Tensor pictures;  // [N, 3, H, W] uint8
  };
  std::vector<Column> columns;     // to stand side by side
  std::vector<std::string> words;  // [N], what is said below each
  std::vector<bool> right;         // [N], or none where an answer is neither right nor wrong
  std::vector<std::pair<std::string, double>> numbers;  // over all N: accuracy, mean_error ...
};

class ShowsPictures {
 public:
  virtual ~ShowsPictures() = default;
  virtual PictureGuess show(EncodedBatch& batch) = 0;  // of the objective's own view
};

class FillsMasks {
 public:
  virtual ~FillsMasks() = default;
  // Log-probabilities of every piece at every position of the batch's tokens, which hold [MASK] -> [B, L, V];
  // minus infinity for what is never hidden.
  virtual torch::Tensor fillings(EncodedBatch& batch) = 0;
};

class ContinuesTexts {
 public:
  virtual ~ContinuesTexts() = default;
  virtual torch::Tensor continuations(EncodedBatch& batch) = 0;  // logits of what follows each token [B, L, V]
};

class JudgesNext {
 public:
  virtual ~JudgesNext() = default;
  // Does Batch::follows stand behind Batch::tokens? -> [B], a probability
  virtual torch::Tensor follows(EncodedBatch& batch) = 0;
};

// Normalised pixels as pictures: [N, 3, H, W] float -> uint8.
torch::Tensor pictures_of(const ModelSpec& spec, const torch::Tensor& normalised);
// A picture of `side` x `side` tiles, row by row, one pixel of white between them. [N, side * side, 3, t, t]
// uint8 -> [N, 3, S, S]
torch::Tensor laid_out(const torch::Tensor& tiles, std::int64_t side);
// Columns hidden, told (the truth where nothing was hidden) and truth, each picture's error below it, and the
// numbers mean_error and explained. told, truth [N, 3, S, S] normalised; mask [N, 1, S, S], undefined: all.
PictureGuess told_pixels(const ModelSpec& spec, const torch::Tensor& shown, const torch::Tensor& told,
                         const torch::Tensor& truth, const torch::Tensor& mask = {});

}  // namespace duet
