// inpainting: a hidden part of the picture is told from the rest (context encoders, Pathak et al. 2016, their
// L2 loss; random cells: SimMIM, Xie et al. 2022).
#include "core/config.h"
#include "losses/image/pixels.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

struct Options {
  std::string view = "main";
  HideOptions hide;
};

class Inpainting : public Objective, public ShowsPictures {
 public:
  Inpainting(Options options, std::int64_t width, std::int64_t pixels, const Init& init)
      : options_(std::move(options)), decoder_(add<CellDecoder>(*this, init, "decoder", width, pixels)) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const Told t = tell(batch);
    return {pixel_error(t.told, t.truth, t.hidden.mask),
            {{"explained", explained(t.told, t.truth, t.hidden.mask)}}};
  }

  PictureGuess show(EncodedBatch& batch) override {
    const Told t = tell(batch);
    return told_pixels(batch.model().spec(), t.hidden.pictures, t.told, t.truth, t.hidden.mask);
  }

 private:
  struct Told {
    HiddenPart hidden;
    torch::Tensor told, truth;  // [N, 3, S, S] normalised
  };
  Told tell(EncodedBatch& batch) const {
    const auto pictures = batch.batch().views.at(options_.view);
    const auto hidden = hide(pictures, options_.hide, batch.model().spec().mean);
    return {hidden, decoder_->forward(batch.encode_images("inpainting", hidden.pictures).tokens),
            batch.model().normalize(pictures)};
  }

  Options options_;
  std::shared_ptr<CellDecoder> decoder_;
};

}  // namespace

ObjectivePlan read_inpainting(Config& config, const Surroundings& around) {
  Options o;
  o.view = config.text("view", o.view);
  o.hide = read_hide(config);
  const bool has_patches = around.image(config).has_patches;
  const std::int64_t pixels = cell_pixels(config, around);
  return {.needs = {.views = {o.view}, .edits = true, .picture_size = !has_patches},
          .make = [o, pixels](const Setting& setting) {
            const std::int64_t width = grid_of(*setting.model->image, setting.model->spec().image_size).width;
            return std::make_shared<Inpainting>(o, width, pixels, setting.init);
          }};
}

}  // namespace duet
