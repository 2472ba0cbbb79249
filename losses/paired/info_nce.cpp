// info_nce: the symmetric choice of the right caption for a picture and the right picture for a caption (CLIP),
// with several right answers in a batch.
#include "core/config.h"
#include "losses/functional.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string space;
  std::string view = "main";
  InfoNceOptions loss;
};

class InfoNce : public Objective {
 public:
  explicit InfoNce(Options options) : options_(std::move(options)) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.image_embedding(options_.space, options_.view);  // [copies*B, D]
    const auto captions = batch.text_embedding(options_.space);                  // [B, D]
    const auto& logit_scale = batch.model().space(options_.space).logit_scale;
    const auto logits = scaled_cosine(pictures, captions, logit_scale);
    const auto relation = relate(batch.batch(), pictures.size(0) / batch.size());
    return {info_nce(logits, relation, options_.loss),
            {{"image_to_text", top_one_share(logits, relation.positives)},
             {"text_to_image", top_one_share(logits.t(), relation.positives.t())},
             {"scale", logit_scale.detach().exp()}}};
  }

 private:
  Options options_;
};

}  // namespace

ObjectivePlan read_info_nce(Config& config, const Surroundings& around) {
  Options o;
  o.space = read_space(config, around, "joint");
  o.view = config.text("view", o.view);
  const auto positives = config.choice("positives", "each", {"each", "average", "mask"});
  o.loss.positives = positives == "each"      ? Positives::each
                     : positives == "average" ? Positives::average
                                              : Positives::mask;
  o.loss.label_smoothing = config.number("label_smoothing", o.loss.label_smoothing, {0, 0.5});
  o.loss.image_to_text = config.number("image_to_text", o.loss.image_to_text, {0, 10});
  o.loss.text_to_image = config.number("text_to_image", o.loss.text_to_image, {0, 10});
  if (o.loss.image_to_text + o.loss.text_to_image <= 0) {
    config.fail("image_to_text", "'image_to_text' and 'text_to_image' are both 0",
                "give at least one side a weight");
  }
  return {.needs = {.views = {o.view}, .texts = true},
          .make = [o](const Setting&) { return std::make_shared<InfoNce>(o); }};
}

}  // namespace duet
