// masked_lm: hidden pieces of a caption are told from those on both sides (BERT, Devlin et al. 2019).
#include <ATen/ops/log_softmax.h>

#include <limits>

#include "core/config.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"
#include "losses/shown.h"
#include "losses/text/masking.h"

namespace duet {
namespace {

class MaskedLm : public Objective, public FillsMasks {
 public:
  MaskedLm(const MaskOptions& options, MaskVocabulary vocabulary, const TextEncoder& tower, const Init& init)
      : options_(options), vocabulary_(std::move(vocabulary)) {
    vocabulary_.held = register_buffer("held", vocabulary_.held);
    vocabulary_.word_start = register_buffer("word_start", vocabulary_.word_start);
    vocabulary_.replacements = register_buffer("replacements", vocabulary_.replacements);
    head_ = add<PieceHead>(*this, init, "head", tower.token_table().size(1), tower.token_table().size(0));
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto &ids = batch.batch().tokens, &valid = batch.batch().valid;
    const auto [shown, chosen] = mask_captions(ids, valid, vocabulary_, options_);
    const auto logits = told(batch, shown, chosen);  // [M, V]
    const auto pieces = ids.index({chosen});         // [M]
    return {class_cross_entropy(logits, pieces), {{"accuracy", accuracy(logits, pieces)}}};
  }

  torch::Tensor fillings(EncodedBatch& batch) override {
    const auto& ids = batch.batch().tokens;
    const auto logits =
        told(batch, ids, torch::ones_like(ids, torch::kBool))
            .masked_fill(vocabulary_.held.logical_not(), -std::numeric_limits<float>::infinity());
    return at::log_softmax(logits, 1).view({ids.size(0), ids.size(1), -1});
  }

 private:
  // ids as shown, chosen positions [B, L] -> [M, V]
  torch::Tensor told(EncodedBatch& batch, const torch::Tensor& shown, const torch::Tensor& chosen) const {
    const auto tokens = batch.encode_texts("masked_lm", shown, batch.batch().valid, false).tokens;  // [B, L, D]
    return head_->forward(tokens.index({chosen}), batch.model().text->token_table());
  }

  MaskOptions options_;
  MaskVocabulary vocabulary_;
  std::shared_ptr<PieceHead> head_;
};

}  // namespace

ObjectivePlan read_masked_lm(Config& config, const Surroundings&) {
  const MaskOptions o = read_mask(config);
  return {.needs = {.views = {}, .texts = true, .mixed_tokens = true, .edits = true, .pieces = 2},
          .make = [o](const Setting& setting) {
            return std::make_shared<MaskedLm>(o, mask_vocabulary(*setting.statistics), *setting.model->text,
                                              setting.init);
          }};
}

}  // namespace duet
