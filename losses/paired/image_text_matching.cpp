// image_text_matching: do this picture and this caption belong together? Asked of every pair and, as the hard
// cases, of the wrong picture and the wrong caption that a space finds most alike (ALBEF, Li et al. 2021,
// section 3.2). The tokens of the caption look at those of the picture.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <utility>

#include "core/config.h"
#include "encoders/text/aten_ops.h"
#include "losses/decoder.h"
#include "losses/functional.h"
#include "losses/image/pixels.h"
#include "losses/objective.h"
#include "losses/paired/negatives.h"

namespace duet {
namespace {

struct Options {
  std::string space;  // in which negatives are alike
  std::string view = "main";
  DecoderOptions decoder;
};

struct Couples {
  torch::Tensor pictures, captions;  // [N] int64, rows
};

class ImageTextMatching : public Objective {
 public:
  ImageTextMatching(Options options, const Setting& setting) : options_(std::move(options)) {
    const std::int64_t width = setting.model->text->token_table().size(1);
    const DecoderShape shape{
        .width = width,
        .memory_width = grid_of(*setting.model->image, setting.model->spec().image_size).width,
        .length = setting.model->spec().text.format.context};
    fusion_ = add<Decoder>(*this, setting.init, "fusion", options_.decoder, shape);
    head_ = add<Linear>(*this, setting.init, "head", width, 2);
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto [couples, matches] = questions(batch);
    const auto logits = answers(batch, couples);  // [N, 2]
    return {class_cross_entropy(logits, matches),
            {{"accuracy", accuracy(logits, matches)}, {"matching", matches.to(torch::kFloat).mean()}}};
  }

 private:
  // Every picture with its caption, with another's, every caption with another's picture; 1: they match.
  std::pair<Couples, torch::Tensor> questions(EncodedBatch& batch) const {
    // Detached, not made without gradient: what the batch encodes here it keeps for the other objectives.
    const auto pictures = batch.image_embedding(options_.space, options_.view).detach();  // [copies*B, D]
    const auto captions = batch.text_embedding(options_.space).detach();                  // [B, D]
    const auto& scale = batch.model().space(options_.space).logit_scale;
    const auto alike = scaled_cosine(pictures, captions, scale.detach());
    const auto related = relate(batch.batch(), pictures.size(0) / batch.size()).positives;
    const auto own_picture = at::arange(pictures.size(0), related.options().dtype(torch::kLong));
    const auto [picture, other_caption] = draw_negatives(alike, related);
    const auto [caption, other_picture] = draw_negatives(alike.t(), related.t());
    const auto matches =
        at::full({own_picture.numel() + picture.numel() + caption.numel()}, 0, own_picture.options());
    matches.slice(0, 0, own_picture.numel()).fill_(1);
    return {{at::cat({own_picture, picture, other_picture}),
             at::cat({own_picture.remainder(batch.size()), other_caption, caption})},
            matches};
  }

  torch::Tensor answers(EncodedBatch& batch, const Couples& couples) const {
    const auto pictures = batch.image_tokens(options_.view).to(torch::kFloat).index_select(0, couples.pictures);
    const auto captions = batch.text_tokens().to(torch::kFloat).index_select(0, couples.captions);
    const auto valid = batch.batch().valid.index_select(0, couples.captions);
    const auto fused = fusion_->forward(captions, valid, false, pictures);
    return head_->forward(AtenOps().pool(fused, valid, Pooling::mean));
  }

  Options options_;
  std::shared_ptr<Decoder> fusion_;
  std::shared_ptr<Linear> head_;
};

}  // namespace

ObjectivePlan read_image_text_matching(Config& config, const Surroundings& around) {
  Options o;
  o.space = read_space(config, around, "joint");
  o.view = config.text("view", o.view);
  o.decoder = read_decoder(config, around.text(config).width);
  return {.needs = {.views = {o.view}, .texts = true, .tokens = true},
          .make = [o](const Setting& setting) { return std::make_shared<ImageTextMatching>(o, setting); }};
}

}  // namespace duet
