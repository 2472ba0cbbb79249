// An embedding space: where a picture and a caption can be compared. The retrieval embedding concatenates the
// unit vectors of all spaces that have a weight.
//   projection  a linear map a side (CLIP), logit scale and bias
//   pieces      picture: a linear map; caption: the IDF-weighted sum of one vector per distinct piece, trained
//               by caption_tokens
//   ridge       the same, solved for in closed form after training; it may see pixels beside the tower's
//   feature
// The caption side's forward is a template (encoders/text/caption_space.h).
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "encoders/init.h"

namespace duet {

class Space : public torch::nn::Module {
 public:
  // [B, image width] -> [B, dimension()], any length; sees_pixels(): [B, image width + kPixelFeatures]
  virtual torch::Tensor image(const torch::Tensor& feature) = 0;
  virtual bool sees_pixels() const { return false; }
  // pooled [B, text width], ids [B, L], valid [B, L] -> [B, dimension()], any length
  virtual torch::Tensor text(const torch::Tensor& pooled, const torch::Tensor& ids,
                             const torch::Tensor& valid) = 0;
  virtual std::int64_t dimension() const = 0;
  // Scale and bias of the logits: exp(logit_scale) * cosine + logit_bias. Parameters "logit_scale" [] and
  // "logit_bias" [].
  torch::Tensor logit_scale, logit_bias;
  void clamp_logit_scale();  // to [0, ln 100] (open_clip), after each step
};

struct SpaceSetting {
  std::int64_t image_width = 0, text_width = 0, vocabulary = 0;
};
struct SpaceSpec {
  std::string name = "joint";
  std::string kind = "projection";
  double weight = 1;         // in the retrieval embedding
  bool auto_weight = false;  // weight = "auto" in the recipe: chosen on validation data
  bool trains = true;        // false: fitted after training (ridge)
  std::function<std::shared_ptr<Space>(const Init&, const SpaceSetting&)> make;
};
// [[space]] tables; none: one projection called "joint". Names are unique.
std::vector<SpaceSpec> read_spaces(Config& recipe);

// The statistics side of pieces and ridge: buffers "idf" [V].
class PieceSpace : public Space {
 public:
  virtual torch::Tensor table() const = 0;  // [V, D]; a parameter (pieces) or a buffer (ridge)
  // [V]; zero for pieces that no training caption holds and for specials
  virtual torch::Tensor idf() const = 0;
  virtual void set_idf(const torch::Tensor& idf) = 0;
};

class RidgeSpace : public PieceSpace {
 public:
  // Solves for W [F, V]: (X'X + lambda I) W = X'Y. X: `features` [N, F], float, as image() takes them, each
  // dimension standardised over the N rows, then each row scaled to unit length; one that never varies has no
  // say. (Pixels are scaled as two groups, colours and edges, and weigh as much as the tower's feature.) Y:
  // unit vectors of the IDF of the captions' distinct pieces (ids[n]: any number of them; pieces without IDF do
  // not count). lambda is the space's own ([[space]] lambda); as rows have length one, it counts in pictures'
  // worth of evidence, and .3 to 1 is a good range. Call set_idf() first. With a rank, pictures become the
  // `rank` leading principal directions of the predictions XW (reduced-rank regression, Izenman 1975), so that
  // a cosine compares a caption with what the picture predicts; without, they stay X, and the inner product
  // with a caption's W y is the prediction.
  virtual void fit(const torch::Tensor& features, const std::vector<std::vector<std::int64_t>>& ids) = 0;
};

}  // namespace duet
