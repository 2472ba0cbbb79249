// captioning: the caption is told from the picture's tokens, piece by piece (the captioning loss of CoCa, Yu et
// al. 2022; alone: Cap, Tschannen et al. 2023), and in a share of the batches all at once (their CapPa).
#include <ATen/ops/rand.h>

#include "core/config.h"
#include "losses/image/pixels.h"
#include "losses/objective.h"
#include "losses/text/caption_teller.h"

namespace duet {
namespace {

struct Options {
  std::string view = "main";
  double parallel = 0;  // share of the batches (CapPa: 0.75)
  DecoderOptions decoder;
};

class Captioning : public Objective {
 public:
  Captioning(Options options, const Setting& setting)
      : options_(std::move(options)),
        teller_(add<CaptionTeller>(*this, setting.init, "teller", setting, options_.decoder,
                                   grid_of(*setting.model->image, setting.model->spec().image_size).width)) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.image_tokens(options_.view).to(torch::kFloat);  // [copies*B, N, D]
    const std::int64_t copies = pictures.size(0) / batch.size();
    return teller_->tell(*batch.model().text, batch.batch().tokens.repeat({copies, 1}),
                         batch.batch().valid.repeat({copies, 1}), {pictures}, tells_at_once());
  }

 private:
  // Held-out batches are all told in one way, so that their losses can be compared.
  bool tells_at_once() const {
    if (!is_training() || options_.parallel == 0) return options_.parallel == 1;
    return at::rand({}).item<double>() < options_.parallel;
  }

  Options options_;
  std::shared_ptr<CaptionTeller> teller_;
};

}  // namespace

ObjectivePlan read_captioning(Config& config, const Surroundings& around) {
  Options o;
  o.view = config.text("view", o.view);
  o.parallel = config.number("parallel", o.parallel, {0, 1});
  o.decoder = read_decoder(config, around.text(config).width);
  return {.needs = {.views = {o.view}, .texts = true, .tokens = true},
          .make = [o](const Setting& setting) { return std::make_shared<Captioning>(o, setting); }};
}

}  // namespace duet
