#include "losses/text/caption_teller.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>

#include "losses/functional.h"
#include "losses/text/pieces.h"

namespace duet {

CaptionTeller::CaptionTeller(const Init& init, const Setting& setting, const DecoderOptions& options,
                             std::int64_t memory_width) {
  const auto table = setting.model->text->token_table();
  // A caption without specials may fill the context: one more for [BOS].
  const DecoderShape shape{.width = table.size(1),
                           .memory_width = memory_width,
                           .length = setting.model->spec().text.format.context + 1};
  decoder_ = add<Decoder>(*this, init, "decoder", options, shape);
  head_ = add<PieceHead>(*this, init, "head", table.size(1), table.size(0));
}

LossTerms CaptionTeller::tell(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& valid,
                              const Memory& memory, bool from_nothing) const {
  const auto table = tower.token_table();
  const IdRows pieces = kept_rows(tower, ids, is_piece(tower, ids, valid));
  const auto before = at::constant_pad_nd(pieces.ids, {1, 0}, special_id(tower, kBos));  // [B, T]
  const auto told = at::constant_pad_nd(pieces.valid, {1, 0}, true);                     // [B, T] bool
  const auto after = at::where(at::constant_pad_nd(pieces.valid, {0, 1}, false),
                               at::constant_pad_nd(pieces.ids, {0, 1}), special_id(tower, kEos));
  // Told from nothing, no position may say where the caption ends: all of them are [MASK], and all are seen.
  const auto shown = from_nothing ? at::full_like(before, special_id(tower, kMask)) : before;
  const auto seen = from_nothing ? torch::Tensor() : told;
  const auto hidden =
      decoder_->forward(at::embedding(table, shown), seen, !from_nothing, memory.tokens, memory.valid);
  const auto logits = head_->forward(hidden.index({told}), table);  // [N, V]
  const auto next = after.index({told});                            // [N]
  const auto loss = class_cross_entropy(logits, next);
  return {loss, {{"accuracy", accuracy(logits, next)}, {"perplexity", loss.detach().exp()}}};
}

}  // namespace duet
