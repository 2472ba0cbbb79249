// Tells a caption piece by piece from a memory: a decoder over the tower's own token table and BERT's output
// head, tied to it. The caption is told from [BOS] to [EOS] whatever specials the tower itself reads, so that a
// telling has a beginning and an end.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "losses/decoder.h"
#include "losses/heads.h"
#include "losses/objective.h"

namespace duet {

struct Memory {
  torch::Tensor tokens;      // [B, M, D']
  torch::Tensor valid = {};  // [B, M] bool; undefined: all
};

class CaptionTeller : public torch::nn::Module {
 public:
  CaptionTeller(const Init& init, const Setting& setting, const DecoderOptions& options,
                std::int64_t memory_width);

  // ids [B, L], valid [B, L] bool: the captions as their tower reads them. Mean cross entropy over their pieces
  // and an [EOS] each, accuracy and perplexity. from_nothing: each piece from the memory alone, all at once
  // (CapPa, Tschannen et al. 2023); else from the pieces before it.
  LossTerms tell(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& valid,
                 const Memory& memory, bool from_nothing = false) const;

 private:
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<PieceHead> head_;
};

}  // namespace duet
