#include "losses/text/masking.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "core/format.h"

namespace duet {

MaskOptions read_mask(Config& objective) {
  MaskOptions o;
  o.share = objective.number("mask_share", o.share, {0.01, 0.9});
  o.masked = objective.number("mask_token", o.masked, {0, 1});
  o.random = objective.number("mask_random", o.random, {0, 1});
  o.whole_words = objective.flag("whole_words", o.whole_words);
  if (o.masked + o.random > 1) {
    objective.fail("mask_random", cat("mask_token + mask_random is ", o.masked + o.random, ", more than all"),
                   "both are shares of the chosen pieces; what is left is shown as it is");
  }
  return o;
}

MaskVocabulary mask_vocabulary(const CorpusStatistics& statistics) {
  const torch::Tensor held = statistics.counts > 0;
  return {held, statistics.word_start, at::nonzero(held).flatten(), held.size(0) - kSpecialCount + kMask};
}

MaskedCaptions mask_captions(const torch::Tensor& ids, const torch::Tensor& valid,
                             const MaskVocabulary& vocabulary, const MaskOptions& options) {
  const std::int64_t rows = ids.size(0), length = ids.size(1);
  const auto floats = torch::TensorOptions(torch::kFloat).device(ids.device());
  const auto hidable = valid.logical_and(vocabulary.held.index({ids}));  // [B, L]
  // What is chosen together: a word, or a piece alone. unit [B, L], numbered from 0 within a caption.
  const auto starts = vocabulary.word_start.index({ids}).logical_or(hidable.logical_not());
  const auto unit = options.whole_words ? (starts.cumsum(1) - 1).clamp_min(0)
                                        : at::arange(length, ids.options()).expand({rows, length});
  const auto units =
      torch::zeros({rows, length}, floats).scatter_reduce(1, unit, hidable.to(torch::kFloat), "amax") > 0;
  // The units with the smallest draws are chosen.
  const auto draw =
      at::rand({rows, length}, floats).masked_fill(units.logical_not(), std::numeric_limits<float>::infinity());
  const auto count = (units.sum(1, true) * options.share).round().clamp_min(1).to(torch::kLong);  // [B, 1]
  const auto last = std::get<0>(draw.sort(1)).gather(1, count - 1);                               // [B, 1]
  const auto chosen = hidable.logical_and(draw.gather(1, unit) <= last);
  const auto fate = at::rand({rows, length}, floats);
  const auto other = vocabulary.replacements.index(
      {at::randint(vocabulary.replacements.numel(), {rows, length}, ids.options())});
  auto shown = at::where(chosen.logical_and(fate < options.masked), vocabulary.mask, ids);
  const auto replaced =
      chosen.logical_and(fate >= options.masked).logical_and(fate < options.masked + options.random);
  shown = at::where(replaced, other, shown);
  return {shown, chosen};
}

}  // namespace duet
