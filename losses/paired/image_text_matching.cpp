// image_text_matching: do this picture and this caption belong together? Asked of every pair and, as the hard
// cases, of the wrong picture and the wrong caption that a space finds most alike (ALBEF, Li et al. 2021,
// section 3.2), or of any wrong ones (ViLBERT, Lu et al. 2019). The tokens of the caption look at those of the
// picture.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
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
  bool hard = true;  // key negatives; false: each wrong one is as likely
  DecoderOptions decoder;
};

// What is asked in a step: first every picture with its own caption, then the wrong couples.
struct Couples {
  torch::Tensor pictures, captions;  // [N] int64, rows
  torch::Tensor own;                 // [wrong] int64: the right couple that each wrong one was made from
  std::int64_t right() const { return pictures.size(0) - own.size(0); }
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
    const Couples couples = questions(batch);
    const auto logits = answers(batch, couples);  // [N, 2]
    const auto matches =
        at::cat({at::ones({couples.right()}, couples.own.options()), at::zeros_like(couples.own)});
    return {class_cross_entropy(logits, matches),
            {{"accuracy", accuracy(logits, matches)},
             {"matching", matches.to(torch::kFloat).mean()},
             {"preferred", preferred(logits.detach(), couples)}}};
  }

 private:
  // Every picture with its caption, with another's, every caption with another's picture.
  Couples questions(EncodedBatch& batch) const {
    // Detached, not made without gradient: what the batch encodes here it keeps for the other objectives.
    const auto pictures = batch.image_embedding(options_.space, options_.view).detach();  // [copies*B, D]
    const auto captions = batch.text_embedding(options_.space).detach();                  // [B, D]
    // Where it is judged, each wrong one is as likely: the hardest are those that the space itself takes for
    // right.
    const auto scale = batch.model().space(options_.space).logit_scale.detach();
    auto alike = scaled_cosine(pictures, captions, scale);
    if (!options_.hard || !is_training()) alike = at::zeros_like(alike);
    const auto related = relate(batch.batch(), pictures.size(0) / batch.size()).positives;
    const auto own_picture = at::arange(pictures.size(0), related.options().dtype(torch::kLong));
    const auto [picture, other_caption] = draw_negatives(alike, related);
    const auto [caption, other_picture] = draw_negatives(alike.t(), related.t());
    return {at::cat({own_picture, picture, other_picture}),
            at::cat({own_picture.remainder(batch.size()), other_caption, caption}),
            at::cat({picture, caption})};
  }

  // The share of wrong couples that look less like a match than the right one they were made from, ties by
  // half: what accuracy hides while the answer to all is no, as two of three are wrong. [N, 2] -> []; 0 when no
  // couple is wrong
  static torch::Tensor preferred(const torch::Tensor& logits, const Couples& couples) {
    const auto match = logits.select(1, 1) - logits.select(1, 0);
    const auto ahead = match.index_select(0, couples.own) - match.slice(0, couples.right());
    return (ahead.sign() + 1).sum() / (2.0 * std::max<double>(1, static_cast<double>(ahead.numel())));
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
  o.hard = config.choice("negatives", "hard", {"hard", "any"}) == "hard";
  o.decoder = read_decoder(config, around.text(config).width);
  return {.needs = {.views = {o.view}, .texts = true, .tokens = true},
          .make = [o](const Setting& setting) { return std::make_shared<ImageTextMatching>(o, setting); }};
}

}  // namespace duet
