#include "encoders/text/aten_ops.h"

namespace duet {

torch::Tensor AtenOps::scaled_rows(const Tensor& x, const Table& table, const Ids& ids) const {
  return x * table.index_select(0, ids.reshape(-1)).view_as(ids).unsqueeze(-1);
}

torch::Tensor AtenOps::add_positions(const Tensor& x, const Table& positions) const {
  TORCH_CHECK(x.size(1) <= positions.size(0), "a caption of ", x.size(1), " ids is longer than the context of ",
              positions.size(0));
  return x + positions.narrow(0, 0, x.size(1));
}

torch::Tensor AtenOps::dropped(const Tensor& x) const {
  return dropout_ > 0 ? at::dropout(x, dropout_, true) : x;
}

torch::Tensor AtenOps::residual(const Tensor& x, const Tensor& branch) const {
  torch::Tensor kept = dropped(branch);
  if (drop_path_ > 0) kept = kept * at::dropout(at::ones({x.size(0), 1, 1}, kept.options()), drop_path_, true);
  return x + kept;
}

torch::Tensor AtenOps::mask(const Valid& valid, bool causal) const {
  if (!valid.defined() && !causal) return {};
  TORCH_CHECK(valid.defined(), "a causal mask needs the valid positions");
  return attention_mask(valid, causal, valid.size(1), valid.device());
}

torch::Tensor AtenOps::attention(const Tensor& qkv, std::int64_t heads, const Mask& mask) const {
  const std::int64_t batch = qkv.size(0), length = qkv.size(1), width = qkv.size(2) / 3;
  const auto parts =
      qkv.view({batch, length, 3, heads, width / heads}).permute({2, 0, 3, 1, 4});  // [3, B, heads, L, d]
  const auto seen = attend(parts[0], parts[1], parts[2], mask, dropout_);
  return seen.transpose(1, 2).reshape({batch, length, width});
}

torch::Tensor AtenOps::attention_at(const Tensor& qkv, std::int64_t heads, const Tensor& position,
                                    const Mask& mask) const {
  const std::int64_t batch = qkv.size(0), length = qkv.size(1), width = qkv.size(2) / 3;
  const auto query =
      token_at(qkv.narrow(2, 0, width), position).view({batch, 1, heads, width / heads}).transpose(1, 2);
  const auto parts = qkv.view({batch, length, 3, heads, width / heads}).permute({2, 0, 3, 1, 4});
  return attend(query, parts[1], parts[2], mask, dropout_).transpose(1, 2).reshape({batch, 1, width});
}

torch::Tensor AtenOps::pool(const Tensor& tokens, const Valid& valid, Pooling pooling) const {
  if (pooling == Pooling::cls) return tokens.select(1, 0);
  if (pooling == Pooling::mean) {
    if (!valid.defined()) return tokens.mean(1);
    const auto weight = valid.to(tokens.scalar_type());
    const auto mean = weight / weight.sum(1, true).clamp_min(1);
    return at::bmm(mean.unsqueeze(1), tokens).squeeze(1);
  }
  if (!valid.defined()) return tokens.select(1, tokens.size(1) - 1);
  return token_at(tokens, last_valid(valid)).squeeze(1);
}

torch::Tensor AtenOps::piece_sum(const Table& table, const Table& idf, const Ids& ids,
                                 const Valid& valid) const {
  const auto said_before = ids.unsqueeze(2).eq(ids.unsqueeze(1)).tril(-1).any(2);
  const auto counts = valid.logical_and(said_before.logical_not()).to(idf.scalar_type());
  const auto weight = idf.index_select(0, ids.reshape(-1)).view_as(ids) * counts;
  return at::bmm(weight.unsqueeze(1), at::embedding(table, ids)).squeeze(1);
}

torch::Tensor token_at(const torch::Tensor& x, const torch::Tensor& position) {
  if (!position.defined()) return x.narrow(1, 0, 1);
  return x.gather(1, position.view({-1, 1, 1}).expand({-1, 1, x.size(2)}));
}

torch::Tensor last_valid(const torch::Tensor& valid) {
  return (valid.to(torch::kLong) * at::arange(valid.size(1), valid.options().dtype(torch::kLong))).amax(1);
}

torch::Tensor run_last_block(const AtenOps& ops, const Block<AtenOps>& block, std::int64_t heads,
                             const torch::Tensor& x, const torch::Tensor& position, const torch::Tensor& keys) {
  const auto qkv = ops.linear(ops.layer_norm(x, block.attention_norm), block.qkv);
  const auto attended = ops.attention_at(qkv, heads, position, keys);
  return run_mlp(ops, block, ops.residual(token_at(x, position), ops.linear(attended, block.out)));
}

AtenWeights AtenWeights::operator/(std::string_view name) const {
  const auto child =
      module_->register_module(std::string(name), std::make_shared<torch::nn::Module>(std::string(name)));
  return {*child, init_ / name};
}

torch::Tensor AtenWeights::table(std::string_view name, std::int64_t rows, std::int64_t width,
                                 double std) const {
  return module_->register_parameter(std::string(name), init_.normal(name, {rows, width}, std));
}

AtenOps::Linear AtenWeights::linear(std::string_view name, std::int64_t in, std::int64_t out, double std,
                                    bool bias) const {
  return add<Linear>(*module_, init_, name, in, out, bias, std);
}

AtenOps::Norm AtenWeights::norm(std::string_view name, std::int64_t width) const {
  return add<LayerNorm>(*module_, init_, name, width);
}

torch::Tensor AtenWeights::ones(std::string_view name, std::int64_t rows) const {
  return module_->register_buffer(std::string(name), torch::ones({rows}));
}

}  // namespace duet
