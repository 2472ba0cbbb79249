// autoregressive_lm: each piece is told from those before it (Radford et al. 2018), [EOS] among them where the
// tower has one, so that a completion knows its end. A causal tower's own pass serves; another is asked for
// one.
#include "core/config.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"
#include "losses/shown.h"

namespace duet {
namespace {

class AutoregressiveLm : public Objective, public ContinuesTexts {
 public:
  AutoregressiveLm(const TextEncoder& tower, bool shares_pass, const Init& init) : shares_pass_(shares_pass) {
    head_ = add<PieceHead>(*this, init, "head", tower.token_table().size(1), tower.token_table().size(0));
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto &ids = batch.batch().tokens, &valid = batch.batch().valid;
    const auto followed = valid.slice(1, 1);  // [B, L-1]: position i is followed by a piece
    const auto logits = told(batch, causal_tokens(batch).slice(1, 0, -1).index({followed}));
    const auto next = ids.slice(1, 1).index({followed});  // [M]
    const auto loss = class_cross_entropy(logits, next);
    return {loss, {{"accuracy", accuracy(logits, next)}, {"perplexity", loss.detach().exp()}}};
  }

  torch::Tensor continuations(EncodedBatch& batch) override { return told(batch, causal_tokens(batch)); }

 private:
  torch::Tensor causal_tokens(EncodedBatch& batch) const {  // [B, L, D]
    const auto &ids = batch.batch().tokens, &valid = batch.batch().valid;
    return shares_pass_ ? batch.text_tokens().to(torch::kFloat)
                        : batch.encode_texts("autoregressive_lm", ids, valid, true).tokens;
  }
  torch::Tensor told(EncodedBatch& batch, const torch::Tensor& tokens) const {
    return head_->forward(tokens, batch.model().text->token_table());
  }

  bool shares_pass_;
  std::shared_ptr<PieceHead> head_;
};

}  // namespace

ObjectivePlan read_autoregressive_lm(Config& config, const Surroundings& around) {
  const bool shares_pass = around.text(config).causal;
  return {
      .needs = {.views = {}, .texts = true, .mixed_tokens = true, .tokens = shares_pass, .edits = !shares_pass},
      .make = [shares_pass](const Setting& setting) {
        return std::make_shared<AutoregressiveLm>(*setting.model->text, shares_pass, setting.init);
      }};
}

}  // namespace duet
