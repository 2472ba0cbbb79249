// The caption towers' operations on plain floats, one caption at a time, over the weights of a mapped
// safetensors file. No LibTorch and no BLAS: a query is a few million multiplications, less than a BLAS takes
// to start its threads.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/safetensors.h"
#include "encoders/text/ops.h"

namespace duet {

class PlainOps {
 public:
  struct Tensor {  // rows x width, row by row
    std::int64_t rows = 0, width = 0;
    std::vector<float> values;
    float* row(std::int64_t i) { return values.data() + i * width; }
    const float* row(std::int64_t i) const { return values.data() + i * width; }
  };
  struct Table {  // mapped, [rows, width]
    const float* values = nullptr;
    std::int64_t rows = 0, width = 0;
    const float* row(std::int64_t i) const { return values + i * width; }
  };
  struct Linear {
    Table weight;                 // [out, in]
    const float* bias = nullptr;  // [out] or null
  };
  struct Norm {
    const float *weight = nullptr, *bias = nullptr;
  };
  using Ids = std::span<const std::int64_t>;
  struct Valid {  // the first so many positions; padding follows
    std::int64_t count = std::numeric_limits<std::int64_t>::max();
  };
  struct Mask {
    Valid valid;
    bool causal = false;
  };

  Tensor rows(const Table& table, Ids ids) const;
  Tensor scaled_rows(Tensor x, const Table& table, Ids ids) const;
  Tensor add_positions(Tensor x, const Table& positions) const;
  Tensor dropped(Tensor x) const { return x; }
  Tensor residual(Tensor x, const Tensor& branch) const;
  Tensor layer_norm(const Tensor& x, const Norm& norm) const;
  Tensor linear(const Tensor& x, const Linear& layer) const;
  Tensor gelu(Tensor x) const;
  Mask mask(Valid valid, bool causal) const { return {valid, causal}; }
  Tensor attention(const Tensor& qkv, std::int64_t heads, const Mask& mask) const;
  Tensor pool(const Tensor& tokens, Valid valid, Pooling pooling) const;
  Tensor piece_sum(const Table& table, const Table& idf, Ids ids, Valid valid) const;
  Tensor normalize(Tensor x) const;
};
static_assert(TextOps<PlainOps>);

// Reads what AtenWeights registered. The file must outlive the weights. Error(artifact) naming file, tensor and
// the shape that was expected.
class PlainWeights {
 public:
  PlainWeights(const SafetensorsFile& file, std::string path) : file_(&file), path_(std::move(path)) {}
  PlainWeights operator/(std::string_view name) const { return {*file_, full(name)}; }
  PlainOps::Table table(std::string_view name, std::int64_t rows, std::int64_t width, double std) const;
  PlainOps::Linear linear(std::string_view name, std::int64_t in, std::int64_t out, double std,
                          bool bias) const;
  PlainOps::Norm norm(std::string_view name, std::int64_t width) const;
  PlainOps::Table ones(std::string_view name, std::int64_t rows) const;
  std::int64_t width_of(std::string_view name) const;  // columns of a matrix in the file

 private:
  std::string full(std::string_view name) const { return path_ + "." + std::string(name); }
  const float* floats(std::string_view name, const std::vector<std::int64_t>& shape) const;

  const SafetensorsFile* file_;
  std::string path_;
};
static_assert(WeightSource<PlainWeights, PlainOps>);

}  // namespace duet
