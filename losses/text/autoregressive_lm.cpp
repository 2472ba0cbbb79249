// autoregressive_lm: each piece is told from those before it (Radford et al. 2018), [EOS] among them where the
// tower has one, so that a completion knows its end. A causal tower's own pass serves; another is asked for
// one.
#include "core/config.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"

namespace duet {
namespace {

class AutoregressiveLm : public Objective {
 public:
  AutoregressiveLm(const TextEncoder& tower, const Init& init) : shares_pass_(tower.causal_by_default()) {
    head_ = add<PieceHead>(*this, init, "head", tower.token_table().size(1), tower.token_table().size(0));
  }

  Needs needs() const override {
    return {.views = {}, .texts = true, .mixed_tokens = true, .tokens = shares_pass_, .edits = !shares_pass_};
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto &ids = batch.batch().tokens, &valid = batch.batch().valid;
    const auto tokens = shares_pass_ ? batch.text_tokens().to(torch::kFloat)
                                     : batch.encode_texts("autoregressive_lm", ids, valid, true).tokens;
    const auto followed = valid.slice(1, 1);  // [B, L-1]: position i is followed by a piece
    const auto logits =
        head_->forward(tokens.slice(1, 0, -1).index({followed}), batch.model().text->token_table());
    const auto next = ids.slice(1, 1).index({followed});  // [M]
    const auto loss = class_cross_entropy(logits, next);
    return {loss, {{"accuracy", accuracy(logits, next)}, {"perplexity", loss.detach().exp()}}};
  }

 private:
  bool shares_pass_;
  std::shared_ptr<PieceHead> head_;
};

}  // namespace

ObjectiveMaker read_autoregressive_lm(Config&) {
  return [](const Setting& setting) {
    return std::make_shared<AutoregressiveLm>(setting.text_tower(), setting.init);
  };
}

}  // namespace duet
