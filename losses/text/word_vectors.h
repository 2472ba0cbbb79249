// What word2vec and GloVe share: two vectors for each word or piece, learned from the texts themselves and not
// from the batch; and their losses.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "losses/objective.h"
#include "losses/text/word_corpus.h"

namespace duet {

// Skip-gram's and CBOW's loss with negative sampling (Mikolov et al. 2013, equation 4), mean over pairs.
// hidden [N, D], output [V, D], targets [N], negatives [N, K] int64; a negative that is the pair's own target
// does not count.
LossTerms negative_sampling(const torch::Tensor& hidden, const torch::Tensor& output,
                            const torch::Tensor& targets, const torch::Tensor& negatives);

// GloVe's (Pennington et al. 2014, equations 8 and 9), mean over entries.
struct GloveWeight {
  double most = 100, power = 0.75;  // min(1, (x / most) ^ power)
};
struct GloveTables {
  torch::Tensor input, output;            // [V, D]
  torch::Tensor input_bias, output_bias;  // [V]
};
// rows, columns [N] int64, values [N] float
LossTerms glove_loss(const GloveTables& tables, const torch::Tensor& rows, const torch::Tensor& columns,
                     const torch::Tensor& values, const GloveWeight& weight);

class WordVectors : public Objective {
 public:
  WordVectors(const Setting& setting, const UnitOptions& unit);
  std::string word_vectors() const override;  // of the units that occur

 protected:
  virtual torch::Tensor vectors() const = 0;  // [V, D], what word_vectors() writes
  // draw_windows in a batch's texts from anywhere on, to be judged by; in all texts if none of these holds two
  // known words.
  Windows held_out_windows(const Batch& batch, const std::vector<double>& keep, std::int64_t window,
                           std::int64_t pairs, bool each) const;

  std::shared_ptr<const WordCorpus> corpus_;
  torch::Tensor input_;  // [V, D]: the token table of the text tower, or a table of the objective's own

 private:
  // A batch's texts in the corpus' units, as WordCorpus::ids; what the corpus does not hold is left out.
  std::vector<std::int32_t> ids_of(const Batch& batch) const;

  std::optional<Tokenizer> tokenizer_;                    // none without texts
  std::unordered_map<std::string, std::int32_t> places_;  // of words in the corpus' names; empty: of pieces
};

// Error(usage) at `where` when no text holds two units, or too few different ones occur.
void check_corpus(const std::string& where, const UnitOptions& unit, const WordCorpus& corpus,
                  std::int64_t least_different);

}  // namespace duet
