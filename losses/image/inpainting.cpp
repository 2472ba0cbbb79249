// inpainting: a hidden part of the picture is told from the rest (context encoders, Pathak et al. 2016, their
// L2 loss; random cells: SimMIM, Xie et al. 2022).
#include "core/config.h"
#include "core/error.h"
#include "core/format.h"
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

  Needs needs() const override { return {.views = {options_.view}, .edits = true, .picture_size = true}; }

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

ObjectiveMaker read_inpainting(Config& config) {
  Options o;
  o.view = config.text("view", o.view);
  o.hide = read_hide(config);
  return [o](const Setting& setting) {
    const std::int64_t size = setting.model->spec().image_size;
    const Grid grid = grid_of(setting.image_tower(), size);
    if (size % grid.side != 0) {
      fail(Exit::usage, setting.where,
           cat("pictures of ", size, " pixels are no whole number of pixels for each of ", grid.side, " cells"),
           cat("set image.size to a multiple of ", grid.side));
    }
    return std::make_shared<Inpainting>(o, grid.width, size / grid.side, setting.init);
  };
}

}  // namespace duet
