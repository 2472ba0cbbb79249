#include "encoders/blocks.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace duet {
namespace {

class BatchNorm : public MapNorm {
 public:
  explicit BatchNorm(std::int64_t channels) {
    mean_ = register_buffer("running_mean", torch::zeros({channels}));
    var_ = register_buffer("running_var", torch::ones({channels}));
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    return at::batch_norm(x, weight, bias, mean_, var_, is_training(), .1, 1e-5, true);
  }

 private:
  torch::Tensor mean_, var_;
};

class GroupNorm : public MapNorm {
 public:
  explicit GroupNorm(std::int64_t channels) : groups_(std::max<std::int64_t>(1, channels / 16)) {}
  torch::Tensor forward(const torch::Tensor& x) override {
    return at::group_norm(x, groups_, weight, bias, 1e-5);
  }

 private:
  std::int64_t groups_;
};

class ChannelNorm : public MapNorm {
 public:
  torch::Tensor forward(const torch::Tensor& x) override {
    return at::layer_norm(x.permute({0, 2, 3, 1}), {x.size(1)}, weight, bias, 1e-5).permute({0, 3, 1, 2});
  }
};

}  // namespace

Linear::Linear(const Init& init, std::int64_t in, std::int64_t out, bool with_bias, double std) {
  const double scale = std < 0 ? 1 / std::sqrt(static_cast<double>(in)) : std;
  weight = register_parameter("weight", init.normal("weight", {out, in}, scale));
  if (with_bias) bias = register_parameter("bias", torch::zeros({out}));
}

torch::Tensor Linear::forward(const torch::Tensor& x) const {
  const auto y = at::linear(x, weight, bias);
  if (!has_low_rank()) return y;
  const auto seen = at::dropout(x, low_rank_.dropout, is_training());
  return y + at::linear(at::linear(seen, lora_a_), lora_b_) * low_rank_.scale();
}

// A is Gaussian, as in the paper (section 4.1); its variance, of which the paper is silent, is that of the
// uniform draw in its authors' code: 1 / (3 in).
void Linear::add_low_rank(const Init& init, const LowRank& part) {
  const std::int64_t in = weight.size(1), out = weight.size(0);
  TORCH_CHECK(!has_low_rank(), init.path(), " has a low-rank part already");
  TORCH_CHECK(part.rank > 0 && part.rank <= std::min(in, out), init.path(), ": a rank of ", part.rank,
              " in a map from ", in, " to ", out);
  low_rank_ = part;
  const auto drawn = init.normal("lora_a", {part.rank, in}, 1 / std::sqrt(3 * static_cast<double>(in)));
  lora_a_ = register_parameter("lora_a", drawn.to(weight.options()));
  lora_b_ = register_parameter("lora_b", torch::zeros({out, part.rank}, weight.options()));
  weight.set_requires_grad(false);
  if (bias.defined()) bias.set_requires_grad(false);
}

torch::Tensor Linear::merged_weight() const {
  if (!has_low_rank()) return weight.detach();
  return weight.detach() + lora_b_.detach().matmul(lora_a_.detach()) * low_rank_.scale();
}

void Linear::merge_low_rank() {
  if (!has_low_rank()) return;
  weight.detach().copy_(merged_weight());
  parameters_.erase("lora_a");
  parameters_.erase("lora_b");
  lora_a_.reset();
  lora_b_.reset();
}

LayerNorm::LayerNorm(const Init&, std::int64_t width) {
  weight = register_parameter("weight", torch::ones({width}));
  bias = register_parameter("bias", torch::zeros({width}));
}

torch::Tensor LayerNorm::forward(const torch::Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, 1e-5);
}

Conv::Conv(const Init& init, const Shape& shape) : shape_(shape) {
  if (shape_.padding < 0) shape_.padding = (shape_.kernel - 1) / 2;
  const double fan_out = static_cast<double>(shape_.out * shape_.kernel * shape_.kernel / shape_.groups);
  const auto drawn = init.normal(
      "weight", {shape_.out, shape_.in / shape_.groups, shape_.kernel, shape_.kernel}, std::sqrt(2 / fan_out));
  weight = register_parameter("weight", drawn.contiguous(at::MemoryFormat::ChannelsLast));
  if (shape_.bias) bias = register_parameter("bias", torch::zeros({shape_.out}));
}

torch::Tensor Conv::forward(const torch::Tensor& x) const {
  const std::int64_t one = 1, none = 0;
  if (weight.size(2) == 1 && shape_.stride > 1) {
    // The cells that are looked at, taken out first: oneDNN's own way (LibTorch 2.13, AVX-512) writes beyond
    // its memory in the backward pass of such convolutions of few channels.
    const auto seen = x.slice(2, 0, x.size(2), shape_.stride).slice(3, 0, x.size(3), shape_.stride);
    return at::conv2d(seen.contiguous(x.suggest_memory_format()), weight, bias, one, none, one, shape_.groups);
  }
  return at::conv2d(x, weight, bias, shape_.stride, shape_.padding, one, shape_.groups);
}

std::shared_ptr<MapNorm> make_norm(std::string_view kind, std::int64_t channels, double gain) {
  std::shared_ptr<MapNorm> norm;
  if (kind == "batch") {
    norm = std::make_shared<BatchNorm>(channels);
  } else if (kind == "group") {
    norm = std::make_shared<GroupNorm>(channels);
  } else {
    TORCH_CHECK(kind == "layer", "make_norm: ", kind, " is none of batch, group, layer");
    norm = std::make_shared<ChannelNorm>();
  }
  norm->weight = norm->register_parameter("weight", torch::full({channels}, gain));
  norm->bias = norm->register_parameter("bias", torch::zeros({channels}));
  return norm;
}

torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                     const torch::Tensor& mask, double dropout) {
  std::optional<torch::Tensor> given;
  if (mask.defined()) given = mask;
  return at::scaled_dot_product_attention(q, k, v, given, dropout, false);
}

torch::Tensor attention_mask(const torch::Tensor& valid, bool causal, std::int64_t length,
                             torch::Device device) {
  torch::Tensor mask;
  if (valid.defined()) {
    TORCH_CHECK(valid.dim() == 2 && valid.size(1) == length, "attention_mask: valid must be [B, ", length, "]");
    mask = valid.logical_or(at::arange(length, valid.options().dtype(torch::kLong)).eq(0))
               .view({-1, 1, 1, length});
  }
  if (causal) {
    const auto earlier = at::ones({length, length}, at::TensorOptions(torch::kBool).device(device))
                             .tril()
                             .view({1, 1, length, length});
    mask = mask.defined() ? mask.logical_and(earlier) : earlier;
  }
  return mask;
}

torch::Tensor unit(const torch::Tensor& x) {
  const auto values = x.to(torch::kFloat);
  return values / values.norm(2, {-1}, true).clamp_min(1e-12);
}

}  // namespace duet
