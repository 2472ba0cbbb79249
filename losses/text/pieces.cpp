#include "losses/text/pieces.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <limits>

namespace duet {
namespace {

// The positions of a row in the order of `key`, those to keep first. [B, L] int64
torch::Tensor kept_first(const torch::Tensor& keep, const torch::Tensor& key) {
  const auto order =
      key.defined() ? key : at::arange(keep.size(1), keep.options().dtype(torch::kFloat)).expand_as(keep);
  const auto last = std::numeric_limits<float>::infinity();
  return order.masked_fill(keep.logical_not(), last).argsort(/*stable=*/true, 1);
}

}  // namespace

std::int64_t special_id(const TextEncoder& tower, Special special) {
  return tower.token_table().size(0) - kSpecialCount + special;
}

torch::Tensor is_piece(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& valid) {
  return valid.logical_and(ids < special_id(tower, kPad));
}

IdRows kept_rows(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& keep,
                 const torch::Tensor& key) {
  const auto count = keep.sum(1, true);  // [B, 1]
  const auto longest = std::max<std::int64_t>(1, count.max().item<std::int64_t>());
  const auto moved = ids.gather(1, kept_first(keep, key)).slice(1, 0, longest);
  const auto valid = at::arange(longest, ids.options()) < count;
  return {at::where(valid, moved, special_id(tower, kPad)), valid};
}

IdRows as_read(const Model& model, const IdRows& rows) {
  const std::int64_t missing = model.spec().text.format.context - rows.ids.size(1);
  if (!model.spec().text.pad_to_context || missing <= 0) return rows;
  return {at::constant_pad_nd(rows.ids, {0, missing}, special_id(*model.text, kPad)),
          at::constant_pad_nd(rows.valid, {0, missing}, false)};
}

}  // namespace duet
