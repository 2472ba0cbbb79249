// Which pieces of a caption are hidden, and behind what (BERT, Devlin et al. 2019, section 3.1).
#pragma once
#include <torch/types.h>

#include "core/config.h"
#include "losses/statistics.h"
#include "text/tokenizer.h"

namespace duet {

struct MaskOptions {
  double share = 0.15;       // of a caption's pieces (whole_words: words) that are predicted; at least one
  double masked = 0.8;       // of these: shown as [MASK]
  double random = 0.1;       // shown as a piece that some caption holds; the rest is shown as it is
  bool whole_words = false;  // all pieces of a word, or none
};
MaskOptions read_mask(Config& objective);  // keys mask_share, mask_token, mask_random, whole_words

// Which pieces can be hidden and shown: a function of the captions.
struct MaskVocabulary {
  torch::Tensor held;          // [V] bool: pieces that the captions hold; neither specials nor <unk>
  torch::Tensor word_start;    // [V] bool
  torch::Tensor replacements;  // [S] int64: those of `held`
  std::int64_t mask = 0;       // id of [MASK]
};
MaskVocabulary mask_vocabulary(const CorpusStatistics& statistics);

struct MaskedCaptions {
  torch::Tensor ids;     // [B, L] as the tower sees them
  torch::Tensor chosen;  // [B, L] bool: to be predicted
};
// ids [B, L], valid [B, L] bool. Draws from the default generator.
MaskedCaptions mask_captions(const torch::Tensor& ids, const torch::Tensor& valid,
                             const MaskVocabulary& vocabulary, const MaskOptions& options);

}  // namespace duet
