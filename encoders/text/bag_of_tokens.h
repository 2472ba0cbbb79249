// The mean of the caption's piece vectors, normalised (fastText's sentence vector, Joulin et al. 2017). Options
// and forward; no LibTorch here.
#pragma once
#include <cmath>
#include <cstdint>
#include <utility>

#include "core/config.h"
#include "encoders/text/ops.h"
#include "text/tokenizer.h"

namespace duet {

struct BagOptions {
  std::int64_t context = 64;  // pieces of a caption that count
  std::int64_t width = 256;
  bool idf = false;    // rare pieces weigh more
  double dropout = 0;  // of the pooled vector's entries
};

inline BagOptions read_bag_options(Config& config) {
  BagOptions o;
  o.context = config.integer("context", o.context, 1, 65536);
  o.width = config.integer("width", o.width, 1, 8192);
  o.idf = config.flag("idf", o.idf);
  o.dropout = config.number("dropout", o.dropout, {0, .9});
  return o;
}

inline TextFormat format_of(const BagOptions& o) { return {.context = o.context}; }

template <class Ops>
struct BagWeights {
  typename Ops::Table tokens, idf;  // idf [V]; only with the option
  typename Ops::Norm norm;
};

template <class Ops, class Source>
requires TextOps<Ops> && WeightSource<Source, Ops> BagWeights<Ops> make_bag(const Source& source,
                                                                            const BagOptions& o,
                                                                            std::int64_t vocabulary) {
  return {.tokens = source.table("tokens", vocabulary, o.width, 1 / std::sqrt(static_cast<double>(o.width))),
          .idf = o.idf ? source.ones("idf", vocabulary) : typename Ops::Table{},
          .norm = source.norm("norm", o.width)};
}

// ids [B, L] -> [B, L, D]
template <TextOps Ops>
typename Ops::Tensor embed_bag(const Ops& ops, const BagWeights<Ops>& weights, const BagOptions& o,
                               const typename Ops::Ids& ids) {
  auto rows = ops.rows(weights.tokens, ids);
  return o.idf ? ops.scaled_rows(std::move(rows), weights.idf, ids) : rows;
}

// [B, L, D] -> [B, D]. The layer norm takes out the scale, so that a mean serves weighted rows too.
template <TextOps Ops>
typename Ops::Tensor pool_bag(const Ops& ops, const BagWeights<Ops>& weights,
                              const typename Ops::Tensor& tokens, const typename Ops::Valid& valid) {
  return ops.dropped(ops.layer_norm(ops.pool(tokens, valid, Pooling::mean), weights.norm));
}

}  // namespace duet
