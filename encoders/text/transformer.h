// A transformer over caption pieces: causal with EOT pooling it is CLIP's text tower (Radford et al. 2021),
// bidirectional with a mean or a [CLS] token BERT's, attending to its padding SigLIP's. Options and forward; no
// LibTorch here.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "encoders/text/block.h"
#include "encoders/text/ops.h"
#include "text/tokenizer.h"

namespace duet {

struct TransformerOptions {
  std::int64_t context = 32;  // most ids of a caption, specials included
  std::int64_t width = 192;
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  double mlp_ratio = 4;
  bool causal = true;              // a piece sees those before it
  Pooling pooling = Pooling::eot;  // eot adds [BOS] and [EOS], cls adds [CLS]
  std::int64_t segments = 0;       // segment embeddings (documents of two sentences); 0: none
  bool attend_to_padding = false;  // captions are padded to the context and padding is seen (SigLIP)
  double dropout = 0;
};

inline TransformerOptions read_transformer_options(Config& config) {
  TransformerOptions o;
  o.context = config.integer("context", o.context, 4, 4096);
  o.width = config.integer("width", o.width, 8, 8192);
  o.layers = config.integer("layers", o.layers, 1, 200);
  o.heads = config.integer("heads", o.heads, 1, 256);
  o.mlp_ratio = config.number("mlp_ratio", o.mlp_ratio, {.25, 16});
  o.causal = config.flag("causal", o.causal);
  const std::string pool = config.choice("pool", o.causal ? "eot" : "mean", {"mean", "cls", "eot"});
  o.pooling = pool == "mean" ? Pooling::mean : pool == "cls" ? Pooling::cls : Pooling::eot;
  o.segments = config.integer("segments", o.segments, 0, 16);
  o.attend_to_padding = config.flag("attend_to_padding", o.attend_to_padding);
  o.dropout = config.number("dropout", o.dropout, {0, .9});
  if (o.width % o.heads != 0)
    config.fail("heads", "the width is no multiple of the number of heads", "choose heads that divide width");
  if (o.causal && o.attend_to_padding)
    config.fail("attend_to_padding", "a causal tower sees no padding", "use causal = false");
  if (o.causal && o.pooling == Pooling::cls) {
    config.fail("pool", "the first token of a causal tower sees nothing but itself",
                "use pool = \"eot\" or causal = false");
  }
  return o;
}

inline TextFormat format_of(const TransformerOptions& o) {
  return {.context = o.context,
          .bos = o.pooling == Pooling::eot,
          .eos = o.pooling == Pooling::eot,
          .cls = o.pooling == Pooling::cls};
}

template <class Ops>
struct TransformerWeights {
  typename Ops::Table tokens, positions, segments;
  std::vector<Block<Ops>> blocks;
  typename Ops::Norm norm;
};

template <class Ops, class Source>
requires TextOps<Ops> && WeightSource<Source, Ops> TransformerWeights<Ops> make_transformer(
    const Source& source, const TransformerOptions& o, std::int64_t vocabulary) {
  TransformerWeights<Ops> weights{.tokens = source.table("tokens", vocabulary, o.width, .02),
                                  .positions = source.table("positions", o.context, o.width, .01),
                                  .segments = {},
                                  .blocks = {},
                                  .norm = source.norm("norm", o.width)};
  if (o.segments > 0) weights.segments = source.table("segments", o.segments, o.width, .02);
  const BlockShape shape{
      .width = o.width,
      .heads = o.heads,
      .mlp = static_cast<std::int64_t>(std::lround(o.mlp_ratio * static_cast<double>(o.width))),
      .layers = o.layers};
  const Source blocks = source / "blocks";
  for (std::int64_t i = 0; i < o.layers; ++i)
    weights.blocks.push_back(make_block<Ops>(blocks / std::to_string(i), shape));
  return weights;
}

// ids [B, L] -> [B, L, D], without segments
template <TextOps Ops>
typename Ops::Tensor embed_transformer(const Ops& ops, const TransformerWeights<Ops>& weights,
                                       const typename Ops::Ids& ids) {
  return ops.dropped(ops.add_positions(ops.rows(weights.tokens, ids), weights.positions));
}

// [B, L, D] -> [B, L, D]; the last layer norm included.
template <TextOps Ops>
typename Ops::Tensor encode_transformer(const Ops& ops, const TransformerWeights<Ops>& weights,
                                        const TransformerOptions& o, typename Ops::Tensor x,
                                        const typename Ops::Valid& valid, bool causal) {
  const auto mask =
      o.attend_to_padding && !causal ? ops.mask(typename Ops::Valid{}, false) : ops.mask(valid, causal);
  for (const auto& block : weights.blocks) x = run_block(ops, block, o.heads, std::move(x), mask);
  return ops.layer_norm(x, weights.norm);
}

}  // namespace duet
