#include "losses/queue.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "core/format.h"

namespace duet {

KeyQueue::KeyQueue(std::int64_t size, std::int64_t dimension)
    : keys_(register_buffer("keys", at::zeros({size, dimension}))),
      ids_(register_buffer("ids", at::zeros({size}, torch::kLong))),
      pushed_(register_buffer("pushed", at::zeros({}, torch::kLong))) {}

void KeyQueue::push(const torch::Tensor& keys, const torch::Tensor& ids) {
  TORCH_CHECK(keys.size(0) <= keys_.size(0), "more keys than the queue holds");
  const torch::NoGradGuard no_grad;
  const auto places = (at::arange(keys.size(0), ids_.options()) + pushed_).remainder(keys_.size(0));
  keys_.index_copy_(0, places, keys);
  ids_.index_copy_(0, places, ids);
  pushed_.add_(keys.size(0));
}

torch::Tensor KeyQueue::negatives_of(const torch::Tensor& ids) const {
  const auto filled = at::arange(keys_.size(0), ids_.options()) < pushed_;
  return filled.logical_and(ids.unsqueeze(1) != ids_);
}

void check_queue_size(std::int64_t size, std::int64_t batch, const std::string& where) {
  TORCH_CHECK(batch > 0, "a queue needs to know the batch");
  if (size % batch == 0) return;
  const std::int64_t below = size / batch * batch;
  const std::string nearest = below == 0 ? cat(batch) : cat(below, " or ", below + batch);
  fail(Exit::usage, where, cat("a queue of ", size, " keys is no multiple of the batch of ", batch),
       cat("set queue = ", nearest));
}

}  // namespace duet
