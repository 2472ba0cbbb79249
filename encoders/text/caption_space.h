// The caption side of an embedding space (encoders/space.h): options and forward; no LibTorch here.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/config.h"
#include "encoders/text/ops.h"

namespace duet {

struct SpaceOptions {
  std::string name = "joint";
  std::string kind = "projection";  // projection | pieces | ridge
  double weight = 1;                // in the retrieval embedding
  bool auto_weight = false;         // weight = "auto": chosen on validation data
  std::int64_t dimension = 256;     // of projection and pieces
  double scale = 1 / .07;           // initial logit scale
  double bias = 0;                  // initial logit bias (SigLIP: -10)
  double lambda = .5;               // ridge strength
  std::int64_t rank = 0;            // ridge: dimensions kept; 0: as many as the picture's feature has
  bool pixels = false;              // ridge: sees the picture's colours and edges beside the tower's feature
};

inline SpaceOptions read_space_options(Config& config) {
  SpaceOptions o;
  o.kind = config.choice("kind", o.kind, {"projection", "pieces", "ridge"});
  o.name = config.text("name", o.kind == "projection" ? o.name : o.kind);
  if (o.name.empty() || o.name.find('.') != std::string::npos) {
    config.fail("name", "'" + o.name + "' cannot name a space",
                "use letters, digits and '_': it becomes part of parameter names");
  }
  o.auto_weight = config.is_text("weight");
  if (o.auto_weight) {
    config.choice("weight", "auto", {"auto"});
  } else {
    o.weight = config.number("weight", o.weight, {0, 1000});
  }
  if (o.kind == "ridge") {
    o.lambda = config.number("lambda", o.lambda, {1e-6, 1e6});
    o.rank = config.integer("rank", o.rank, 0, 65536);
    o.pixels = config.flag("pixels", o.pixels);
  } else {
    if (o.kind == "pieces") o.scale = 16;
    o.dimension = config.integer("dimension", o.dimension, 2, 65536);
    o.scale = config.number("scale", o.scale, {1, 100});
    o.bias = config.number("bias", o.bias, {-100, 100});
  }
  return o;
}

template <class Ops>
struct CaptionSpace {
  typename Ops::Linear text;       // projection
  typename Ops::Table table, idf;  // pieces, ridge: [V, D], [V]
};

// Not yet unit length, [B, D].
template <TextOps Ops>
typename Ops::Tensor caption_vector(const Ops& ops, const CaptionSpace<Ops>& space, std::string_view kind,
                                    const typename Ops::Tensor& pooled, const typename Ops::Ids& ids,
                                    const typename Ops::Valid& valid) {
  return kind == "projection" ? ops.linear(pooled, space.text)
                              : ops.piece_sum(space.table, space.idf, ids, valid);
}

}  // namespace duet
