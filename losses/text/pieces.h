// Rows of token ids put together anew: specials taken off, pieces left out or moved.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "encoders/model.h"
#include "text/tokenizer.h"

namespace duet {

std::int64_t special_id(const TextEncoder& tower, Special special);

struct IdRows {
  torch::Tensor ids;    // [B, L] int64, padded with [PAD]
  torch::Tensor valid;  // [B, L] bool, true at the beginning of each row
};
// Where there is a piece of the text: neither padding nor special. [B, L] bool
torch::Tensor is_piece(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& valid);

// The ids to `keep` [B, L] bool alone, in the order of `key` [B, L] float (undefined: as they stand), cut to
// the longest row; at least one column.
IdRows kept_rows(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& keep,
                 const torch::Tensor& key = {});
// As long as the model's text tower wants them: one that attends to padding reads the whole context.
IdRows as_read(const Model& model, const IdRows& rows);

}  // namespace duet
