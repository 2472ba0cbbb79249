// What the forward of a text tower is written in: a set of operations, so that one template serves training
// (AtenOps: ATen, autograd, dropout) and a query (PlainOps: plain floats, no LibTorch). Weights come from a
// source (AtenWeights registers parameters, PlainWeights maps a file), which makes parameter names and shapes
// part of the same single definition.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace duet {

// How a tower makes one vector of its tokens: the mean of the valid ones, the first, or the last valid one.
enum class Pooling { mean, cls, eot };

// Shapes: B captions (PlainOps: one, without the axis), L tokens, D width.
template <class Ops>
concept TextOps = requires(const Ops ops, typename Ops::Tensor x, const typename Ops::Table table,
                           const typename Ops::Norm norm, const typename Ops::Linear layer,
                           const typename Ops::Ids ids, const typename Ops::Valid valid,
                           const typename Ops::Mask mask, std::int64_t n) {
  { ops.rows(table, ids) } -> std::same_as<typename Ops::Tensor>;  // [V, D], [B, L] -> [B, L, D]
  {
    ops.scaled_rows(x, table, ids)
    } -> std::same_as<typename Ops::Tensor>;  // x[b, l] * table[ids[b, l]]; table [V]
  { ops.add_positions(x, table) } -> std::same_as<typename Ops::Tensor>;  // x[b, l] + table[l]
  { ops.dropped(x) } -> std::same_as<typename Ops::Tensor>;               // dropout
  { ops.residual(x, x) } -> std::same_as<typename Ops::Tensor>;           // x + dropout(branch)
  { ops.layer_norm(x, norm) } -> std::same_as<typename Ops::Tensor>;      // eps 1e-5
  { ops.linear(x, layer) } -> std::same_as<typename Ops::Tensor>;         // [B, L, in] -> [B, L, out]
  { ops.gelu(x) } -> std::same_as<typename Ops::Tensor>;                  // exact, with erf
  { ops.mask(valid, true) } -> std::same_as<typename Ops::Mask>;  // who may attend to whom; true: causal
  {
    ops.attention(x, n, mask)
    } -> std::same_as<typename Ops::Tensor>;  // [B, L, 3D] (q, k, v), heads -> [B, L, D]
  { ops.pool(x, valid, Pooling::mean) } -> std::same_as<typename Ops::Tensor>;  // [B, L, D] -> [B, D]
  {
    ops.piece_sum(table, table, ids, valid)
    } -> std::same_as<typename Ops::Tensor>;  // sum of idf[id] * table[id] over the valid ids, each once
  { ops.normalize(x) } -> std::same_as<typename Ops::Tensor>;  // unit rows; zero stays zero
};

// Where weights come from. `std`: of the normal draw that a new parameter starts from (0: zeros); ignored when
// reading.
template <class Source, class Ops>
concept WeightSource = requires(const Source source, std::string_view name, std::int64_t n, double std) {
  { source / name } -> std::same_as<Source>;
  { source.table(name, n, n, std) } -> std::same_as<typename Ops::Table>;          // [rows, width]
  { source.linear(name, n, n, std, true) } -> std::same_as<typename Ops::Linear>;  // in, out, bias
  { source.norm(name, n) } -> std::same_as<typename Ops::Norm>;
  { source.ones(name, n) } -> std::same_as<typename Ops::Table>;  // [rows], a statistic: not trained
};

}  // namespace duet
