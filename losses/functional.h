// The losses as pure functions of embeddings, logits and ids. All are computed in the type of their input: fp32
// in training (bf16 has steps of .25 at logit 100), double in finite-difference tests.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "tensors/batch.h"

namespace duet {

struct RowIds {
  torch::Tensor image, caption, concept_id;  // [N] int64 each
};
// The ids of a batch's pictures with `copies` of each (copy-major, as in Batch::views), or of its captions (one
// copy).
RowIds ids_of(const Batch& batch, std::int64_t copies = 1);

// Pictures [R] against captions [C]: who belongs to whom.
struct Relation {
  torch::Tensor positives;  // [R, C] bool: same picture, caption or concept; holds `own`
  torch::Tensor own;        // [R, C] bool: the pair itself
  Relation transposed() const { return {positives.t(), own.t()}; }
};
torch::Tensor positives(const RowIds& rows, const RowIds& columns);  // [R, C] bool
Relation relate(const Batch& batch, std::int64_t copies);            // [copies*B, B]

// exp(logit_scale) * cosine. x [R, D] and y [C, D] unit vectors, logit_scale [] -> [R, C]
torch::Tensor scaled_cosine(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& logit_scale);

// What becomes of an anchor's several positives in InfoNCE:
//   each     every positive alone against the negatives, then the mean over the positives: other positives are
//   not in its
//            denominator, so no gradient ever drives two rows of a concept apart, and the loss can reach 0
//   average  softmax cross entropy with targets spread evenly over the positives: a positive that got more than
//   its even
//            share is pushed back, and the smallest loss is ln(number of positives)
//   mask     the own pair is the only target, other positives are left out of the denominator
enum class Positives { each, average, mask };

struct InfoNceOptions {
  Positives positives = Positives::each;
  double label_smoothing =
      0;  // this share of each row's target is spread over all columns that are not left out
  double image_to_text = 0.5;  // weight of the picture's choice among captions (CLIP: the mean of both)
  double text_to_image = 0.5;
};
// InfoNCE (van den Oord et al. 2018; Radford et al. 2021) with several positives. logits [R, C] of pictures
// against captions
// -> [], the weighted sum of the mean over pictures and the mean over captions.
torch::Tensor info_nce(const torch::Tensor& logits, const Relation& relation, const InfoNceOptions& options);

// SigLIP (Zhai et al. 2023): -1/R sum over all pairs of log sigmoid(z * logit), z = 1 for positives and -1
// else. logits [R, C] with scale and bias in them -> []
torch::Tensor sigmoid_loss(const torch::Tensor& logits, const torch::Tensor& positives);

// SupCon (Khosla et al. 2020, L_out) among unit vectors x [N, D] with labels [N]: for each row the mean over
// the other rows of its label of -log softmax over all other rows; mean over the rows that have such another ->
// [], 0 when none has.
torch::Tensor supervised_contrast(const torch::Tensor& x, const torch::Tensor& labels, double temperature);

// SuperClass (Huang et al. 2024): each caption's set of pieces, weighted by idf [V] and scaled to sum 1. ids
// [B, L] -> [B, V]; a row of zeros for a caption without any piece of positive idf (padding and specials have
// none).
torch::Tensor piece_targets(const torch::Tensor& ids, const torch::Tensor& idf);
// Softmax cross entropy of logits [B, S] with targets [B, S], mean over the rows whose targets are not all 0 ->
// []
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets,
                                 double label_smoothing);

// Softmax cross entropy, mean over the rows -> [], 0 when there is none. logits [N, C], classes [N] int64
torch::Tensor class_cross_entropy(const torch::Tensor& logits, const torch::Tensor& classes);
// Share of rows whose best column is their class, 0 when there is none. logits [N, C], classes [N] int64 -> []
// fp32, detached
torch::Tensor accuracy(const torch::Tensor& logits, const torch::Tensor& classes);
// Share of rows whose best column is marked. scores [R, C], marked [R, C] bool -> [] fp32, detached
torch::Tensor top_one_share(const torch::Tensor& scores, const torch::Tensor& marked);

}  // namespace duet
