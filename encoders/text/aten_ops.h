// The towers' operations on ATen: autograd, autocast, SDPA, dropout. (The picture transformer uses them too.)
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "encoders/blocks.h"
#include "encoders/text/block.h"
#include "encoders/text/ops.h"

namespace duet {

class AtenOps {
 public:
  using Tensor = torch::Tensor;  // [B, L, D]
  using Table = torch::Tensor;   // [V, D] or [V]
  using Linear = std::shared_ptr<duet::Linear>;
  using Norm = std::shared_ptr<duet::LayerNorm>;
  using Ids = torch::Tensor;    // [B, L] int64
  using Valid = torch::Tensor;  // [B, L] bool; undefined: all
  using Mask = torch::Tensor;   // attention_mask()

  AtenOps() = default;
  // Rates that apply now (zero in evaluation): dropout of entries, drop path (Huang et al. 2016) of whole
  // branches.
  AtenOps(double dropout, double drop_path) : dropout_(dropout), drop_path_(drop_path) {}

  Tensor rows(const Table& table, const Ids& ids) const { return at::embedding(table, ids); }
  Tensor scaled_rows(const Tensor& x, const Table& table, const Ids& ids) const;
  Tensor add_positions(const Tensor& x, const Table& positions) const;
  Tensor dropped(const Tensor& x) const;
  Tensor residual(const Tensor& x, const Tensor& branch) const;
  Tensor layer_norm(const Tensor& x, const Norm& norm) const { return norm->forward(x); }
  Tensor linear(const Tensor& x, const Linear& layer) const { return layer->forward(x); }
  Tensor gelu(const Tensor& x) const { return at::gelu(x); }
  Mask mask(const Valid& valid, bool causal) const;
  Tensor attention(const Tensor& qkv, std::int64_t heads, const Mask& mask) const;
  Tensor attention_at(const Tensor& qkv, std::int64_t heads, const Tensor& position, const Mask& mask) const;
  Tensor pool(const Tensor& tokens, const Valid& valid, Pooling pooling) const;
  Tensor piece_sum(const Table& table, const Table& idf, const Ids& ids, const Valid& valid) const;
  Tensor normalize(const Tensor& x) const { return unit(x); }

 private:
  double dropout_ = 0, drop_path_ = 0;
};
static_assert(TextOps<AtenOps>);

// One token of each row: x [B, L, D], position [B] int64 -> [B, 1, D]; undefined: the first.
torch::Tensor token_at(const torch::Tensor& x, const torch::Tensor& position);
// The index of the last valid token of each row, [B].
torch::Tensor last_valid(const torch::Tensor& valid);
// A last block of which only one token a row is pooled: keys and values of all, queries and MLP of that one
// alone. x [B, L, D] -> [B, 1, D]; keys: attention_mask() without direction.
torch::Tensor run_last_block(const AtenOps& ops, const Block<AtenOps>& block, std::int64_t heads,
                             const torch::Tensor& x, const torch::Tensor& position, const torch::Tensor& keys);

// Makes parameters and registers them below `module` under their names.
class AtenWeights {
 public:
  AtenWeights(torch::nn::Module& module, const Init& init) : module_(&module), init_(init) {}
  AtenWeights operator/(std::string_view name) const;
  torch::Tensor table(std::string_view name, std::int64_t rows, std::int64_t width, double std) const;
  AtenOps::Linear linear(std::string_view name, std::int64_t in, std::int64_t out, double std, bool bias) const;
  AtenOps::Norm norm(std::string_view name, std::int64_t width) const;
  torch::Tensor ones(std::string_view name, std::int64_t rows) const;

 private:
  torch::nn::Module* module_;  // outlives this object, which is used in constructors only
  Init init_;
};
static_assert(WeightSource<AtenWeights, AtenOps>);

}  // namespace duet
