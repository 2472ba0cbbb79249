// next_sentence: does the second text stand behind the first one, or come from elsewhere? (BERT, Devlin et al.
// 2019, section 3.1.) Both are read in one pass, [CLS] first [SEP] second [SEP], each with its own segment.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>

#include "core/config.h"
#include "core/format.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/objective.h"
#include "losses/shown.h"
#include "losses/text/pieces.h"

namespace duet {
namespace {

constexpr double kOwnShare = 0.5;           // of the rows (Devlin et al.)
constexpr std::int64_t kSpecialsOfTwo = 3;  // [CLS], [SEP], [SEP]

struct TwoTexts {
  IdRows read;
  torch::Tensor segments;  // [B, L] int64
};

torch::Tensor count_of(const IdRows& rows) { return rows.valid.sum(1, true); }  // [B, 1]

// The first `count` [B, 1] positions of each of `length`. [B, length] bool
torch::Tensor first_ones(const torch::Tensor& count, std::int64_t length) {
  return at::arange(length, count.options()) < count;
}

// Pieces of both, cut to `context` ids: of the longer one first, from its end.
TwoTexts joined_texts(const Model& model, const IdRows& first, const IdRows& second) {
  const TextEncoder& tower = *model.text;
  const std::int64_t context = model.spec().text.format.context;
  const std::int64_t room = context - kSpecialsOfTwo, rows = first.ids.size(0);
  const auto first_count =
      at::minimum(count_of(first), (room - count_of(second)).clamp_min(room - room / 2));  // [B, 1]
  const auto second_count = at::minimum(count_of(second), room - first_count);
  const auto special = [&](Special which) {
    return at::full({rows, 1}, special_id(tower, which), first.ids.options());
  };
  const auto always = at::full({rows, 1}, true, first.valid.options());
  const auto ids = at::cat({special(kCls), first.ids, special(kSep), second.ids, special(kSep)}, 1);
  const auto keep = at::cat({always, first_ones(first_count, first.ids.size(1)), always,
                             first_ones(second_count, second.ids.size(1)), always},
                            1);
  const IdRows both = as_read(model, kept_rows(tower, ids, keep));
  const auto place = at::arange(both.ids.size(1), both.ids.options());
  return {both, (place > first_count + 1).logical_and(both.valid).to(torch::kLong)};
}

class NextSentence : public Objective, public JudgesNext {
 public:
  explicit NextSentence(const Setting& setting) {
    const std::int64_t width = setting.model->text->token_table().size(1);
    pooler_ = add<Linear>(*this, setting.init, "pooler", width, width);
    head_ = add<Linear>(*this, setting.init, "head", width, 2);
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const IdRows next = pieces(batch, batch.batch().follows, batch.batch().follows_valid);
    const auto has_next = next.valid.any(1);  // [B]
    const auto floats = torch::TensorOptions(torch::kFloat).device(has_next.device());
    const auto own = at::rand({batch.size()}, floats) < kOwnShare;
    const auto others = strangers(batch, next).logical_and(has_next);  // [B, B]
    const auto other = at::rand(others.sizes(), floats).masked_fill(others.logical_not(), -1).argmax(1);
    const auto shown = at::where(own, at::arange(batch.size(), other.options()), other);
    const auto asked = has_next.logical_and(own.logical_or(others.any(1)));
    const auto logits = answers(batch, next.ids.index_select(0, shown), next.valid.index_select(0, shown))
                            .index({asked});  // [N, 2]
    const auto classes = own.index({asked}).to(torch::kLong);
    return {class_cross_entropy(logits, classes), {{"accuracy", accuracy(logits, classes)}}};
  }

  torch::Tensor follows(EncodedBatch& batch) override {
    const IdRows next = pieces(batch, batch.batch().follows, batch.batch().follows_valid);
    return at::softmax(answers(batch, next.ids, next.valid), 1).select(1, 1);
  }

 private:
  static IdRows pieces(EncodedBatch& batch, const torch::Tensor& ids, const torch::Tensor& valid) {
    const TextEncoder& tower = *batch.model().text;
    return kept_rows(tower, ids, is_piece(tower, ids, valid));
  }

  // Whose text is surely not the next one: of another document, concept and picture, with another text before
  // it, and not the same by its words. [B, B] bool
  static torch::Tensor strangers(EncodedBatch& batch, const IdRows& next) {
    const auto same = next.ids.unsqueeze(1).eq(next.ids.unsqueeze(0)).all(2);
    return relate(batch.batch(), 1).positives.logical_or(same).logical_not();
  }

  // Second texts [B, L'] behind the batch's own captions -> logits [B, 2], class 1: it stands there.
  torch::Tensor answers(EncodedBatch& batch, const torch::Tensor& second, const torch::Tensor& valid) const {
    const IdRows first = pieces(batch, batch.batch().tokens, batch.batch().valid);
    const auto [read, segments] = joined_texts(batch.model(), first, {second, valid});
    const auto tokens = batch.encode_texts("next_sentence", read.ids, read.valid, false, segments).tokens;
    return head_->forward(pooler_->forward(tokens.select(1, 0)).tanh());
  }

  std::shared_ptr<Linear> pooler_, head_;
};

void check_tower(const Config& config, const TextEncoderSpec& tower) {
  if (tower.segments < 2) {
    config.fail(
        "kind",
        cat("needs a text tower that tells two texts apart, and this one has ", tower.segments, " segments"),
        "set text.segments = 2");
  }
  if (tower.format.context < kSpecialsOfTwo + 2) {
    config.fail("kind", cat("two texts do not fit into text.context = ", tower.format.context),
                cat("set it to ", kSpecialsOfTwo + 2, " or more"));
  }
}

}  // namespace

ObjectivePlan read_next_sentence(Config& config, const Surroundings& around) {
  check_tower(config, around.text(config));
  return {.needs = {.views = {}, .texts = true, .mixed_tokens = true, .edits = true, .follows = true},
          .make = [](const Setting& setting) { return std::make_shared<NextSentence>(setting); }};
}

}  // namespace duet
