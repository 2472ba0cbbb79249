// denoising: the tower reads a caption that lost pieces and whose others lie near their places, and a decoder
// rebuilds it from what the tower made of that (BART, Lewis et al. 2020; from one vector alone: TSDAE, Wang et
// al. 2021).
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/where.h>

#include "core/config.h"
#include "losses/objective.h"
#include "losses/text/caption_teller.h"
#include "losses/text/pieces.h"

namespace duet {
namespace {

struct Options {
  double delete_share = 0.3;          // of the pieces (BART's share of changed tokens; TSDAE: 0.6)
  std::int64_t shuffle_distance = 3;  // a piece moves by so many places at most (Lample et al. 2018)
  std::string memory = "tokens";      // what the decoder sees: tokens (BART) | pooled (TSDAE)
  DecoderOptions decoder;
};

class Denoising : public Objective {
 public:
  Denoising(Options options, const Setting& setting)
      : options_(std::move(options)),
        teller_(add<CaptionTeller>(*this, setting.init, "teller", setting, options_.decoder,
                                   options_.memory == "pooled" ? setting.model->text->width()
                                                               : setting.model->text->token_table().size(1))) {}

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const TextEncoder& tower = *batch.model().text;
    const auto &ids = batch.batch().tokens, &valid = batch.batch().valid;
    const IdRows read = as_read(batch.model(), damaged(tower, ids, valid));
    // The tower's own direction: what is trained is what a search uses.
    const auto encoded = batch.encode_texts("denoising", read.ids, read.valid, tower.causal_by_default());
    const Memory memory =
        options_.memory == "pooled" ? Memory{encoded.pooled.unsqueeze(1)} : Memory{encoded.tokens, read.valid};
    return teller_->tell(tower, ids, valid, memory);
  }

 private:
  // Specials stay where they are, at the ends. A piece's place is its number plus a draw from [0, distance +
  // 1): in the order of these none moves further than the distance.
  IdRows damaged(const TextEncoder& tower, const torch::Tensor& ids, const torch::Tensor& valid) const {
    const auto pieces = is_piece(tower, ids, valid);
    const auto floats = torch::TensorOptions(torch::kFloat).device(ids.device());
    // At least one piece stays: that with the largest draw.
    const auto draw = at::rand(ids.sizes(), floats).masked_fill(pieces.logical_not(), -1);
    const auto stays = (draw >= options_.delete_share).logical_or(draw == draw.amax(1, true));
    const double reach = static_cast<double>(options_.shuffle_distance) + 1;
    const auto place = at::arange(ids.size(1), floats).expand_as(ids);
    const auto moved = place + at::rand(ids.sizes(), floats) * reach;
    const auto behind = pieces.cumsum(1) > 0;
    const auto key = at::where(pieces, moved, at::where(behind, place + reach + 1, place));
    return kept_rows(tower, ids, valid.logical_and(pieces.logical_not().logical_or(stays)), key);
  }

  Options options_;
  std::shared_ptr<CaptionTeller> teller_;
};

}  // namespace

ObjectivePlan read_denoising(Config& config, const Surroundings& around) {
  Options o;
  o.delete_share = config.number("delete_share", o.delete_share, {0, 0.95});
  o.shuffle_distance = config.integer("shuffle_distance", o.shuffle_distance, 0, 64);
  o.memory = config.choice("memory", o.memory, {"tokens", "pooled"});
  o.decoder = read_decoder(config, around.text(config).width);
  return {.needs = {.views = {}, .texts = true, .mixed_tokens = true, .edits = true},
          .make = [o](const Setting& setting) { return std::make_shared<Denoising>(o, setting); }};
}

}  // namespace duet
