#include "encoders/plain/plain_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/format.h"

// One binary serves every x86-64: the loops that matter are compiled for AVX2 too and chosen when the program
// starts. Elsewhere the compiler's own vectors do.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DUET_FAST_CLONE __attribute__((target_clones("arch=haswell", "default")))
#else
#define DUET_FAST_CLONE
#endif

namespace duet {
namespace {

constexpr std::int64_t kLanes = 8;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(alignof(float)), may_alias));

// out[i][j] = x[i] . w[j] for two rows of x and four of w. Two rows at a time use each loaded weight twice.
DUET_FAST_CLONE
void dot_two_by_four(const float* x0, const float* x1, const float* w, std::int64_t width, float* out) {
  Lanes sums[8] = {};
  const float* rows[4] = {w, w + width, w + 2 * width, w + 3 * width};
  std::int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    const Lanes a = *reinterpret_cast<const Lanes*>(x0 + k), b = *reinterpret_cast<const Lanes*>(x1 + k);
    for (int j = 0; j < 4; ++j) {
      const Lanes weight = *reinterpret_cast<const Lanes*>(rows[j] + k);
      sums[j] += a * weight;
      sums[4 + j] += b * weight;
    }
  }
  for (int i = 0; i < 8; ++i) {
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += sums[i][lane];
    const float* x = i < 4 ? x0 : x1;
    for (std::int64_t rest = k; rest < width; ++rest) sum += x[rest] * rows[i % 4][rest];
    out[i] = sum;
  }
}

float dot(const float* a, const float* b, std::int64_t width) {
  float sum = 0;
  for (std::int64_t k = 0; k < width; ++k) sum += a[k] * b[k];
  return sum;
}

PlainOps::Tensor zeros(std::int64_t rows, std::int64_t width) {
  return {rows, width, std::vector<float>(static_cast<std::size_t>(rows * width))};
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

PlainOps::Tensor PlainOps::rows(const Table& table, Ids ids) const {
  Tensor out = zeros(static_cast<std::int64_t>(ids.size()), table.width);
  for (std::int64_t i = 0; i < out.rows; ++i) std::copy_n(table.row(ids[i]), table.width, out.row(i));
  return out;
}

PlainOps::Tensor PlainOps::scaled_rows(Tensor x, const Table& table, Ids ids) const {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t d = 0; d < x.width; ++d) x.row(i)[d] *= *table.row(ids[i]);
  }
  return x;
}

PlainOps::Tensor PlainOps::add_positions(Tensor x, const Table& positions) const {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t d = 0; d < x.width; ++d) x.row(i)[d] += positions.row(i)[d];
  }
  return x;
}

PlainOps::Tensor PlainOps::residual(Tensor x, const Tensor& branch) const {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += branch.values[i];
  return x;
}

PlainOps::Tensor PlainOps::layer_norm(const Tensor& x, const Norm& norm) const {
  Tensor out = zeros(x.rows, x.width);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const float* row = x.row(i);
    double mean = 0, square = 0;
    for (std::int64_t d = 0; d < x.width; ++d) mean += row[d];
    mean /= static_cast<double>(x.width);
    for (std::int64_t d = 0; d < x.width; ++d) square += (row[d] - mean) * (row[d] - mean);
    const double scale = 1 / std::sqrt(square / static_cast<double>(x.width) + 1e-5);
    for (std::int64_t d = 0; d < x.width; ++d) {
      out.row(i)[d] = static_cast<float>((row[d] - mean) * scale) * norm.weight[d] + norm.bias[d];
    }
  }
  return out;
}

PlainOps::Tensor PlainOps::linear(const Tensor& x, const Linear& layer) const {
  const std::int64_t in = layer.weight.width, out = layer.weight.rows;
  Tensor y = zeros(x.rows, out);
  const std::int64_t blocked = out - out % 4;
  for (std::int64_t j = 0; j < blocked; j += 4) {
    for (std::int64_t i = 0; i < x.rows; i += 2) {
      const std::int64_t second = std::min(i + 1, x.rows - 1);  // an odd last row stands in for both
      float products[8];
      dot_two_by_four(x.row(i), x.row(second), layer.weight.row(j), in, products);
      std::copy_n(products, 4, y.row(i) + j);
      std::copy_n(products + 4, 4, y.row(second) + j);
    }
  }
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = blocked; j < out; ++j) y.row(i)[j] = dot(x.row(i), layer.weight.row(j), in);
    for (std::int64_t j = 0; layer.bias && j < out; ++j) y.row(i)[j] += layer.bias[j];
  }
  return y;
}

PlainOps::Tensor PlainOps::gelu(Tensor x) const {
  for (float& value : x.values) value *= .5f * (1 + std::erf(value * static_cast<float>(M_SQRT1_2)));
  return x;
}

PlainOps::Tensor PlainOps::attention(const Tensor& qkv, std::int64_t heads, const Mask& mask) const {
  const std::int64_t length = qkv.rows, width = qkv.width / 3, part = width / heads;
  const float scale = 1 / std::sqrt(static_cast<float>(part));
  Tensor out = zeros(length, width);
  std::vector<float> weights(static_cast<std::size_t>(length));
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t i = 0; i < length; ++i) {
      // The first token is always seen, as in attention_mask().
      const std::int64_t seen =
          std::max<std::int64_t>(1, std::min({length, mask.valid.count, mask.causal ? i + 1 : length}));
      const float* query = qkv.row(i) + head * part;
      for (std::int64_t j = 0; j < seen; ++j)
        weights[j] = scale * dot(query, qkv.row(j) + width + head * part, part);
      const float highest = *std::max_element(weights.begin(), weights.begin() + seen);
      float sum = 0;
      for (std::int64_t j = 0; j < seen; ++j) sum += weights[j] = std::exp(weights[j] - highest);
      float* row = out.row(i) + head * part;
      for (std::int64_t j = 0; j < seen; ++j) {
        const float* value = qkv.row(j) + 2 * width + head * part;
        for (std::int64_t d = 0; d < part; ++d) row[d] += weights[j] / sum * value[d];
      }
    }
  }
  return out;
}

PlainOps::Tensor PlainOps::pool(const Tensor& tokens, Valid valid, Pooling pooling) const {
  Tensor out = zeros(1, tokens.width);
  const std::int64_t count = std::min(valid.count, tokens.rows);
  if (pooling != Pooling::mean) {
    std::copy_n(tokens.row(pooling == Pooling::cls ? 0 : std::max<std::int64_t>(0, count - 1)), tokens.width,
                out.row(0));
    return out;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t d = 0; d < tokens.width; ++d)
      out.values[d] += tokens.row(i)[d] / static_cast<float>(count);
  }
  return out;
}

PlainOps::Tensor PlainOps::piece_sum(const Table& table, const Table& idf, Ids ids, Valid valid) const {
  Tensor out = zeros(1, table.width);
  const std::int64_t count = std::min(valid.count, static_cast<std::int64_t>(ids.size()));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto here = ids.begin() + i;
    if (std::find(ids.begin(), here, *here) != here) continue;  // said before
    const float weight = *idf.row(ids[i]);
    for (std::int64_t d = 0; d < table.width; ++d) out.values[d] += weight * table.row(ids[i])[d];
  }
  return out;
}

PlainOps::Tensor PlainOps::normalize(Tensor x) const {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    double square = 0;
    for (std::int64_t d = 0; d < x.width; ++d) square += static_cast<double>(x.row(i)[d]) * x.row(i)[d];
    const auto length = static_cast<float>(std::max(std::sqrt(square), 1e-12));
    for (std::int64_t d = 0; d < x.width; ++d) x.row(i)[d] /= length;
  }
  return x;
}

PlainOps::Table PlainWeights::table(std::string_view name, std::int64_t rows, std::int64_t width,
                                    double) const {
  return {floats(name, {rows, width}), rows, width};
}

PlainOps::Linear PlainWeights::linear(std::string_view name, std::int64_t in, std::int64_t out, double,
                                      bool bias) const {
  const PlainWeights own = *this / name;
  return {own.table("weight", out, in, 0), bias ? own.floats("bias", {out}) : nullptr};
}

PlainOps::Norm PlainWeights::norm(std::string_view name, std::int64_t width) const {
  const PlainWeights own = *this / name;
  return {own.floats("weight", {width}), own.floats("bias", {width})};
}

PlainOps::Table PlainWeights::ones(std::string_view name, std::int64_t rows) const {
  return {floats(name, {rows}), rows, 1};
}

std::int64_t PlainWeights::width_of(std::string_view name) const {
  const TensorView& tensor = file_->at(full(name));
  if (tensor.shape.size() != 2) {
    fail(Exit::artifact, cat(file_->path().string(), ": ", full(name)),
         cat("has shape ", text_of(tensor.shape)), "a matrix was expected: the file is of another model");
  }
  return tensor.shape[1];
}

const float* PlainWeights::floats(std::string_view name, const std::vector<std::int64_t>& shape) const {
  const TensorView& tensor = file_->at(full(name));
  if (tensor.shape != shape) {
    fail(Exit::artifact, cat(file_->path().string(), ": ", full(name)),
         cat("has shape ", text_of(tensor.shape)),
         cat("expected ", text_of(shape), ": the file is of another model"));
  }
  return tensor.floats().data();
}

}  // namespace duet
