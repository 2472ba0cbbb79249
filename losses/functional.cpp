#include "losses/functional.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

namespace duet {
namespace {

// Stands for minus infinity where a row may be left out whole: its exponential is 0 and its gradient is no NaN.
constexpr double kLeftOut = std::numeric_limits<float>::lowest() / 2;

torch::Tensor same_id(const torch::Tensor& a, const torch::Tensor& b) {
  return a.unsqueeze(1) == b.unsqueeze(0);
}

// Each row's targets with equal weights that sum to 1; 0 in rows without targets. [R, C]
torch::Tensor even_weights(const torch::Tensor& targets, const torch::Tensor& like) {
  const auto weights = targets.to(like.scalar_type());
  return weights / weights.sum(1, true).clamp_min(1);
}

// Minus log softmax over the columns that are not left out, spread evenly over `targets`. [R, C] -> [R]
torch::Tensor even_cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets,
                                 const torch::Tensor& left_out) {
  const auto log_share = at::log_softmax(logits.masked_fill(left_out, kLeftOut), 1);
  return -(log_share.masked_fill(left_out, 0) * even_weights(targets, logits)).sum(1);
}

// Every target alone against the row's negatives. [R, C] -> [R]
torch::Tensor against_negatives(const torch::Tensor& logits, const torch::Tensor& targets,
                                const torch::Tensor& positives) {
  const auto negatives = at::logsumexp(logits.masked_fill(positives, kLeftOut), 1, true);  // [R, 1]
  return -(at::log_sigmoid(logits - negatives) * even_weights(targets, logits)).sum(1);
}

// One side of InfoNCE. [R, C] -> [], mean over the rows
torch::Tensor one_side(const torch::Tensor& logits, const Relation& relation, const InfoNceOptions& options) {
  const torch::Tensor& targets = options.positives == Positives::mask ? relation.own : relation.positives;
  const auto left_out = relation.positives.logical_and(targets.logical_not());
  auto rows = options.positives == Positives::average ? even_cross_entropy(logits, targets, left_out)
                                                      : against_negatives(logits, targets, relation.positives);
  if (options.label_smoothing > 0) {
    const auto smooth = even_cross_entropy(logits, left_out.logical_not(), left_out);
    rows = (1 - options.label_smoothing) * rows + options.label_smoothing * smooth;
  }
  return rows.mean();
}

}  // namespace

RowIds ids_of(const Batch& batch, std::int64_t copies) {
  return {batch.image_id.repeat({copies}), batch.caption_id.repeat({copies}),
          batch.concept_id.repeat({copies})};
}

torch::Tensor positives(const RowIds& rows, const RowIds& columns) {
  return same_id(rows.image, columns.image)
      .logical_or(same_id(rows.caption, columns.caption))
      .logical_or(same_id(rows.concept_id, columns.concept_id));
}

Relation relate(const Batch& batch, std::int64_t copies) {
  const auto own = at::eye(batch.size(), batch.image_id.options().dtype(torch::kBool)).repeat({copies, 1});
  return {positives(ids_of(batch, copies), ids_of(batch)), own};
}

torch::Tensor scaled_cosine(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& logit_scale) {
  return logit_scale.exp() * x.matmul(y.t());
}

torch::Tensor info_nce(const torch::Tensor& logits, const Relation& relation, const InfoNceOptions& options) {
  return options.image_to_text * one_side(logits, relation, options) +
         options.text_to_image * one_side(logits.t(), relation.transposed(), options);
}

torch::Tensor sigmoid_loss(const torch::Tensor& logits, const torch::Tensor& positives) {
  return -at::log_sigmoid(at::where(positives, logits, -logits)).sum() / static_cast<double>(logits.size(0));
}

torch::Tensor supervised_contrast(const torch::Tensor& x, const torch::Tensor& labels, double temperature) {
  const auto self = at::eye(x.size(0), labels.options().dtype(torch::kBool));
  const auto others = same_id(labels, labels).logical_and(self.logical_not());
  const auto rows = even_cross_entropy(x.matmul(x.t()) / temperature, others, self);
  return rows.sum() / others.any(1).sum().clamp_min(1);
}

torch::Tensor piece_targets(const torch::Tensor& ids, const torch::Tensor& idf) {
  const auto held = at::zeros({ids.size(0), idf.size(0)}, idf.options()).scatter_(1, ids, 1);
  const auto weighted = held * idf;
  return weighted / weighted.sum(1, true).clamp_min(1e-12);
}

torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets,
                                 double label_smoothing) {
  const auto filled = targets.sum(1, true);  // [B, 1]: 1, or 0 for a row without targets
  const auto smoothed =
      (1 - label_smoothing) * targets + label_smoothing / static_cast<double>(logits.size(1)) * filled;
  return -(at::log_softmax(logits, 1) * smoothed).sum() / filled.sum().clamp_min(1);
}

torch::Tensor class_cross_entropy(const torch::Tensor& logits, const torch::Tensor& classes) {
  const auto own = at::log_softmax(logits, 1).gather(1, classes.unsqueeze(1));  // [N, 1]
  return -own.sum() / static_cast<double>(std::max<std::int64_t>(1, classes.numel()));
}

torch::Tensor accuracy(const torch::Tensor& logits, const torch::Tensor& classes) {
  const auto right = (logits.detach().argmax(1) == classes).sum().to(torch::kFloat);
  return right / static_cast<double>(std::max<std::int64_t>(1, classes.numel()));
}

torch::Tensor top_one_share(const torch::Tensor& scores, const torch::Tensor& marked) {
  return marked.gather(1, scores.detach().argmax(1, true)).to(torch::kFloat).mean();
}

}  // namespace duet
