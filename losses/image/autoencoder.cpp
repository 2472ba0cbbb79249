// autoencoder: the picture from a few numbers of its feature (Hinton and Salakhutdinov 2006); variational: from
// a draw around them (Kingma and Welling 2014).
#include <ATen/ops/gelu.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "core/config.h"
#include "core/format.h"
#include "encoders/blocks.h"
#include "losses/image/pixels.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

struct Options {
  std::string view = "main";
  std::int64_t bottleneck = 64;  // numbers a picture
  std::int64_t width = 64;       // channels of the decoder's maps
  bool variational = false;
  double beta = 1;  // weight of the divergence from a standard normal (Kingma and Welling: 1; higher: beta-VAE)
};

constexpr std::int64_t kDoublings = 3;

// A linear map to a map of an eighth of the side, then three times twice the side and a convolution.
class PictureDecoder : public torch::nn::Module {
 public:
  PictureDecoder(const Init& init, std::int64_t in, std::int64_t width, std::int64_t size)
      : width_(width), side_(size >> kDoublings) {
    linear_ = add<Linear>(*this, init, "linear", in, width * side_ * side_);
    for (std::int64_t i = 0; i < kDoublings; ++i) {
      const bool last = i + 1 == kDoublings;
      convolutions_.push_back(add<Conv>(*this, init, cat("conv", i),
                                        Conv::Shape{.in = width, .out = last ? 3 : width, .bias = true}));
    }
  }
  torch::Tensor forward(const torch::Tensor& code) const {  // [N, in] -> [N, 3, S, S]
    auto x = linear_->forward(code).view({-1, width_, side_, side_}).contiguous(at::MemoryFormat::ChannelsLast);
    for (const auto& convolution : convolutions_)
      x = convolution->forward(at::upsample_nearest2d(at::gelu(x), {2 * x.size(2), 2 * x.size(3)}));
    return x;
  }

 private:
  std::int64_t width_, side_;
  std::shared_ptr<Linear> linear_;
  std::vector<std::shared_ptr<Conv>> convolutions_;
};

class Autoencoder : public Objective, public ShowsPictures {
 public:
  Autoencoder(Options options, std::int64_t width, std::int64_t size, const Init& init)
      : options_(std::move(options)) {
    code_ = add<Linear>(*this, init, "code", width, options_.bottleneck * (options_.variational ? 2 : 1));
    decoder_ = add<PictureDecoder>(*this, init, "decoder", options_.bottleneck, options_.width, size);
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto code =
        code_->forward(batch.image_pooled(options_.view));  // [N, bottleneck], twice that if variational
    const auto truth = batch.model().normalize(batch.batch().views.at(options_.view));
    if (!options_.variational) return reconstruction(decoder_->forward(code), truth);
    const auto mean = code.narrow(1, 0, options_.bottleneck);
    const auto log_variance = code.narrow(1, options_.bottleneck, options_.bottleneck);
    const auto drawn = is_training() ? mean + (log_variance / 2).exp() * at::randn_like(mean) : mean;
    LossTerms terms = reconstruction(decoder_->forward(drawn), truth);
    // The bound with unit variance a pixel is half the squared error of all pixels and the divergence: here by
    // the mean over pixels.
    const auto divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean();
    terms.loss = terms.loss + options_.beta * 2 * divergence / static_cast<double>(truth[0].numel());
    terms.metrics.emplace_back("divergence", divergence.detach());
    return terms;
  }

  PictureGuess show(EncodedBatch& batch) override {
    const auto code = code_->forward(batch.image_pooled(options_.view));
    const auto told = decoder_->forward(code.narrow(1, 0, options_.bottleneck));  // variational: of the mean
    const auto pictures = batch.batch().views.at(options_.view);
    PictureGuess guess = told_pixels(batch.model().spec(), pictures, told, batch.model().normalize(pictures));
    guess.columns.erase(guess.columns.begin());  // nothing is hidden
    return guess;
  }

 private:
  static LossTerms reconstruction(const torch::Tensor& told, const torch::Tensor& truth) {
    return {pixel_error(told, truth), {{"explained", explained(told, truth)}}};
  }

  Options options_;
  std::shared_ptr<Linear> code_;
  std::shared_ptr<PictureDecoder> decoder_;
};

}  // namespace

ObjectivePlan read_autoencoder(Config& config, const Surroundings& around) {
  Options o;
  o.view = config.text("view", o.view);
  o.bottleneck = config.integer("bottleneck", o.bottleneck, 1, 65536);
  o.width = config.integer("decoder_width", o.width, 4, 4096);
  o.variational = config.flag("variational", o.variational);
  o.beta = config.number("beta", o.beta, {0, 1000});
  around.image(config);
  const std::int64_t size = around.model->image_size;
  if (size % (1 << kDoublings) != 0) {
    config.fail("kind",
                cat("autoencoder needs pictures whose side is a multiple of ", 1 << kDoublings, ", not of ",
                    size, " pixels"),
                "change image.size");
  }
  return {.needs = {.views = {o.view}, .picture_size = true}, .make = [o, size](const Setting& setting) {
            return std::make_shared<Autoencoder>(o, setting.model->image->width(), size, setting.init);
          }};
}

}  // namespace duet
