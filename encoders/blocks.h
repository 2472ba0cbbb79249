// The layers that towers, spaces and heads are built from. Each takes its Init, so that values are a function
// of the name.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "encoders/init.h"

namespace duet {

// A child module whose initial values and parameter names follow from one name.
template <class M, class... Args>
std::shared_ptr<M> add(torch::nn::Module& parent, const Init& init, std::string_view name, Args&&... args) {
  return parent.register_module(std::string(name),
                                std::make_shared<M>(init / name, std::forward<Args>(args)...));
}

// What a linear map learns beside its frozen weight (LoRA, Hu et al. 2022).
struct LowRank {
  std::int64_t rank = 8;
  double alpha = 8;    // strength
  double dropout = 0;  // of the entries that the part sees, in training
  double scale() const { return alpha / static_cast<double>(rank); }
};

class Linear : public torch::nn::Module {
 public:
  // std of the weight's normal draw; negative: 1/sqrt(in). The bias starts at zero.
  Linear(const Init& init, std::int64_t in, std::int64_t out, bool with_bias = true, double std = -1);
  torch::Tensor forward(const torch::Tensor& x) const;  // [..., in] -> [..., out]
  torch::Tensor weight, bias;                           // [out, in], [out] or undefined

  // From here on y = x W' + b + alpha / rank * dropout(x) A' B', W and b frozen. Parameters "lora_a" A [rank,
  // in], drawn, and "lora_b" B [out, rank], zero, so that nothing changes at first. One part serves the whole
  // map: for the queries, keys and values of a block, which are one map here, A is shared.
  void add_low_rank(const Init& init, const LowRank& part);
  bool has_low_rank() const { return lora_a_.defined(); }
  torch::Tensor merged_weight() const;  // W + alpha / rank * B A, without gradient
  void merge_low_rank();                // the weight becomes that, A and B go; nothing to do without them

 private:
  LowRank low_rank_;
  torch::Tensor lora_a_, lora_b_;
};

class LayerNorm : public torch::nn::Module {  // over the last axis, eps 1e-5
 public:
  LayerNorm(const Init& init, std::int64_t width);
  torch::Tensor forward(const torch::Tensor& x) const;
  torch::Tensor weight, bias;
};

// Weight in channels_last: with pictures in channels_last every convolution stays in that format.
class Conv : public torch::nn::Module {
 public:
  struct Shape {
    std::int64_t in, out, kernel = 3, stride = 1;
    std::int64_t groups = 1;
    bool bias = false;
    std::int64_t padding = -1;  // negative: (kernel - 1) / 2
  };
  Conv(const Init& init, const Shape& shape);  // He et al. 2015, fan out
  torch::Tensor forward(const torch::Tensor& x) const;
  torch::Tensor weight, bias;

 private:
  Shape shape_;
};

// Over channels of a map [B, C, H, W].
class MapNorm : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
  torch::Tensor weight, bias;  // [C]
};
// batch (running statistics in evaluation), group (of 16 channels), layer (per cell). `gain`: where the weight
// starts.
std::shared_ptr<MapNorm> make_norm(std::string_view kind, std::int64_t channels, double gain = 1);

// Scaled dot product attention. q, k, v [B, heads, L, d]; mask bool [B or 1, 1, L or 1, L], true where
// attended, or undefined.
torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                     const torch::Tensor& mask, double dropout = 0);
// The one place that builds such masks. valid [B, L] bool or undefined; undefined when all may see all. The
// first token is always seen, so that a row without any valid token stays finite.
torch::Tensor attention_mask(const torch::Tensor& valid, bool causal, std::int64_t length,
                             torch::Device device);

torch::Tensor unit(const torch::Tensor& x);  // [..., D] -> unit vectors, fp32; zero stays zero

}  // namespace duet
