// MoCo's queue (He et al. 2020): keys of past batches as further negatives, the oldest overwritten first. All
// of it is buffers, so that a checkpoint keeps it.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <string>

namespace duet {

class KeyQueue : public torch::nn::Module {
 public:
  KeyQueue(std::int64_t size, std::int64_t dimension);
  // keys [B, D] unit vectors, ids [B] int64 of their pictures; B at most the queue's size.
  void push(const torch::Tensor& keys, const torch::Tensor& ids);
  const torch::Tensor& keys() const { return keys_; }  // [K, D]; zero where nothing was pushed yet
  // Which keys are negatives of pictures with these ids: there, and of another picture. [B] int64 -> [B, K]
  // bool
  torch::Tensor negatives_of(const torch::Tensor& ids) const;

 private:
  torch::Tensor keys_, ids_;  // [K, D] float, [K] int64
  torch::Tensor pushed_;      // [] int64: keys ever pushed, which says where the next goes and how full it is
};

// Error(usage) at `where` with the nearest sizes, unless `size` is a multiple of the batch: as in the paper, a
// step replaces one batch of keys by another.
void check_queue_size(std::int64_t size, std::int64_t batch, const std::string& where);

}  // namespace duet
