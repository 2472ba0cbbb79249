// caption_tokens: the picture predicts the pieces of its caption (SuperClass, Huang et al. 2024). The
// classifier is a space of kind "pieces": one vector a piece, so that what is learned ranks pictures for a bag
// of pieces, too.
#include <ATen/ops/nonzero.h>
#include <torch/nn/functional/normalization.h>

#include "core/config.h"
#include "core/format.h"
#include "losses/functional.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string space;
  std::string view = "main";
  double label_smoothing = 0;  // share of the target that is spread over all known pieces
};

PieceSpace& piece_space(const std::string& name, Model& model) {
  return dynamic_cast<PieceSpace&>(model.space(name));
}

void check_space(const Config& config, const Surroundings& around, const std::string& name) {
  for (const SpaceSpec& space : around.model->spaces) {
    if (space.name != name || space.kind == "pieces") continue;
    config.fail("space", cat("caption_tokens cannot train the space '", name, "': it has no vector a piece"),
                "name a [[space]] with kind = \"pieces\"");
  }
}

class CaptionTokens : public Objective {
 public:
  // idf [V], as Model::prepare_for_corpus set it. Pieces that no training caption holds are left out: the
  // softmax would only push them away from every picture.
  CaptionTokens(Options options, const torch::Tensor& idf) : options_(std::move(options)) {
    known_ = register_buffer("known", at::nonzero(idf > 0).flatten());
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.image_embedding(options_.space, options_.view);  // [copies*B, D]
    const PieceSpace& space = piece_space(options_.space, batch.model());
    const auto vectors = torch::nn::functional::normalize(space.table().index_select(0, known_));  // [S, D]
    const auto logits = scaled_cosine(pictures, vectors, space.logit_scale);
    const auto targets = piece_targets(batch.batch().tokens, space.idf()).index_select(1, known_);  // [B, S]
    const auto per_copy = targets.repeat({pictures.size(0) / batch.size(), 1});  // [copies*B, S]
    return {soft_cross_entropy(logits, per_copy, options_.label_smoothing),
            {{"accuracy", top_one_share(logits, per_copy > 0)}, {"scale", space.logit_scale.detach().exp()}}};
  }

 private:
  Options options_;
  torch::Tensor known_;  // [S] int64: pieces of positive idf
};

}  // namespace

ObjectivePlan read_caption_tokens(Config& config, const Surroundings& around) {
  Options o;
  o.space = read_space(config, around, "pieces");
  check_space(config, around, o.space);
  o.view = config.text("view", o.view);
  o.label_smoothing = config.number("label_smoothing", o.label_smoothing, {0, 0.5});
  return {.needs = {.views = {o.view}, .texts = true}, .make = [o](const Setting& setting) {
            return std::make_shared<CaptionTokens>(o, piece_space(o.space, *setting.model).idf());
          }};
}

}  // namespace duet
