// rotation: by which multiple of 90 degrees was the picture turned? (RotNet, Gidaris et al. 2018)
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/rot90.h>
#include <ATen/ops/stack.h>

#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/objective.h"

namespace duet {
namespace {

constexpr std::int64_t kTurns = 4;

struct Options {
  std::string view = "main";
  bool all_turns = true;  // each picture in all four turns, as in the paper; false: in one, drawn
};

class Rotation : public Objective {
 public:
  Rotation(Options options, std::int64_t width, const Init& init)
      : options_(std::move(options)), head_(add<Linear>(*this, init, "head", width, kTurns)) {}

  Needs needs() const override { return {.views = {options_.view}, .edits = true}; }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.batch().views.at(options_.view);  // [N, 3, S, S]
    const auto options = torch::TensorOptions(torch::kLong).device(pictures.device());
    const auto turns = options_.all_turns ? at::arange(kTurns, options).repeat_interleave(pictures.size(0))
                                          : at::randint(kTurns, {pictures.size(0)}, options);
    const auto logits = head_->forward(batch.encode_images("rotation", turned(pictures, turns)).pooled);
    return {class_cross_entropy(logits, turns), {{"accuracy", accuracy(logits, turns)}}};
  }

 private:
  // turns [N], or [4N] of all of them, turn-major -> as many pictures
  torch::Tensor turned(const torch::Tensor& pictures, const torch::Tensor& turns) const {
    std::vector<torch::Tensor> every;
    for (std::int64_t turn = 0; turn < kTurns; ++turn) every.push_back(at::rot90(pictures, turn, {2, 3}));
    const auto result = options_.all_turns
                            ? at::cat(every)
                            : at::stack(every).index({turns, at::arange(turns.size(0), turns.options())});
    return result.contiguous(at::MemoryFormat::ChannelsLast);
  }

  Options options_;
  std::shared_ptr<Linear> head_;
};

}  // namespace

ObjectiveMaker read_rotation(Config& config) {
  Options o;
  o.view = config.text("view", o.view);
  o.all_turns = config.flag("all_turns", o.all_turns);
  return [o](const Setting& setting) {
    return std::make_shared<Rotation>(o, setting.image_tower().width(), setting.init);
  };
}

}  // namespace duet
