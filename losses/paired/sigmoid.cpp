// sigmoid: every pair of the batch is a yes-or-no question with a learned scale and bias (SigLIP, Zhai et al.
// 2023).
#include <cmath>

#include "core/config.h"
#include "losses/functional.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string space;
  std::string view = "main";
};

class Sigmoid : public Objective {
 public:
  explicit Sigmoid(Options options) : options_(std::move(options)) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.image_embedding(options_.space, options_.view);  // [copies*B, D]
    const auto captions = batch.text_embedding(options_.space);                  // [B, D]
    const Space& space = batch.model().space(options_.space);
    const auto logits = scaled_cosine(pictures, captions, space.logit_scale) + space.logit_bias;
    const auto relation = relate(batch.batch(), pictures.size(0) / batch.size());
    return {sigmoid_loss(logits, relation.positives),
            {{"image_to_text", top_one_share(logits, relation.positives)},
             {"text_to_image", top_one_share(logits.t(), relation.positives.t())},
             {"scale", space.logit_scale.detach().exp()},
             {"bias", space.logit_bias.detach().clone()}}};
  }

 private:
  Options options_;
};

// Nearly all pairs are negatives, so without a bias the first steps only push everything apart (section 3.2 of
// the paper). A space whose recipe gives a bias keeps what it has.
void start_logits(Space& space) {
  const torch::NoGradGuard no_grad;
  if (space.logit_bias.item<double>() != 0) return;
  space.logit_scale.fill_(std::log(10.));
  space.logit_bias.fill_(-10);
}

}  // namespace

ObjectivePlan read_sigmoid(Config& config, const Surroundings& around) {
  Options o;
  o.space = read_space(config, around, "joint");
  o.view = config.text("view", o.view);
  return {.needs = {.views = {o.view}, .texts = true}, .make = [o](const Setting& setting) {
            start_logits(setting.model->space(o.space));
            return std::make_shared<Sigmoid>(o);
          }};
}

}  // namespace duet
