// rotation: by which multiple of 90 degrees was the picture turned? (RotNet, Gidaris et al. 2018)
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/rot90.h>
#include <ATen/ops/stack.h>

#include "core/config.h"
#include "core/format.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

constexpr std::int64_t kTurns = 4;

struct Options {
  std::string view = "main";
  bool all_turns = true;  // each picture in all four turns, as in the paper; false: in one, drawn
};

class Rotation : public Objective, public ShowsPictures {
 public:
  Rotation(Options options, std::int64_t width, const Init& init)
      : options_(std::move(options)), head_(add<Linear>(*this, init, "head", width, kTurns)) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.batch().views.at(options_.view);  // [N, 3, S, S]
    const auto options = torch::TensorOptions(torch::kLong).device(pictures.device());
    const auto turns = options_.all_turns ? at::arange(kTurns, options).repeat_interleave(pictures.size(0))
                                          : at::randint(kTurns, {pictures.size(0)}, options);
    const auto logits = told(batch, turned(pictures, turns));
    return {class_cross_entropy(logits, turns), {{"accuracy", accuracy(logits, turns)}}};
  }

  // Each picture in one turn, drawn.
  PictureGuess show(EncodedBatch& batch) override {
    const auto pictures = batch.batch().views.at(options_.view);
    const auto options = torch::TensorOptions(torch::kLong).device(pictures.device());
    const auto turns = at::randint(kTurns, {pictures.size(0)}, options);
    const auto shown = turned(pictures, turns);
    const auto logits = told(batch, shown), answers = logits.argmax(1);
    PictureGuess guess{
        .columns = {{"turned", shown}},
        .words = {},
        .right = {},
        .numbers = {{"accuracy", accuracy(logits, turns).item<double>()}, {"chance", 1.0 / kTurns}}};
    for (std::int64_t row = 0; row < turns.size(0); ++row) {
      const auto answer = answers[row].item<std::int64_t>(), truth = turns[row].item<std::int64_t>();
      guess.right.push_back(answer == truth);
      guess.words.push_back(answer == truth ? cat(90 * answer, "°")
                                            : cat(90 * answer, "°, not ", 90 * truth, "°"));
    }
    return guess;
  }

 private:
  torch::Tensor told(EncodedBatch& batch, const torch::Tensor& pictures) const {  // [N, 4] logits
    return head_->forward(batch.encode_images("rotation", pictures).pooled);
  }

  // turns [N], or [4N] of all of them, turn-major -> as many pictures
  static torch::Tensor turned(const torch::Tensor& pictures, const torch::Tensor& turns) {
    std::vector<torch::Tensor> every;
    for (std::int64_t turn = 0; turn < kTurns; ++turn) every.push_back(at::rot90(pictures, turn, {2, 3}));
    const auto result = turns.size(0) == kTurns * pictures.size(0)
                            ? at::cat(every)
                            : at::stack(every).index({turns, at::arange(turns.size(0), turns.options())});
    return result.contiguous(at::MemoryFormat::ChannelsLast);
  }

  Options options_;
  std::shared_ptr<Linear> head_;
};

}  // namespace

ObjectivePlan read_rotation(Config& config, const Surroundings&) {
  Options o;
  o.view = config.text("view", o.view);
  o.all_turns = config.flag("all_turns", o.all_turns);
  return {.needs = {.views = {o.view}, .edits = true}, .make = [o](const Setting& setting) {
            return std::make_shared<Rotation>(o, setting.model->image->width(), setting.init);
          }};
}

}  // namespace duet
