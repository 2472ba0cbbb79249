// lp_blend: a picture classifier and the names' one, blended class by class, logits = rows (w_c + alpha_c t_c),
// after LP++ (Huang et al. 2024). As there, w and (every tenth time) alpha take turns in steps whose sizes are
// bounds of the blocks' curvatures, so that there is no learning rate to choose. Otherwise than there: it
// starts from the names alone (w = 0, all alphas one calibrated scale), rows are read less their mean, the
// bound is that of the softmax, 1/2, and the number of rounds is chosen by the cross entropy on validation,
// none among the choices. Then as many rounds are done on support and validation together.
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"

namespace duet {
namespace {

constexpr int kRounds = 300, kTurn = 10;

// rows times names [n, C], and rows less the mean of those that are learned from [n, D].
struct Blend {
  torch::Tensor mean;   // [D]
  torch::Tensor names;  // [C, D] unit
  torch::Tensor w;      // [C, D]
  torch::Tensor alpha;  // [C]

  torch::Tensor logits(const torch::Tensor& rows) const {
    return (rows - mean).matmul(w.t()) + rows.matmul(names.t()) * alpha;
  }
  LinearMap map() const {
    return {.weight = w + alpha.unsqueeze(1) * names, .bias = -w.mv(mean), .input = "rows"};
  }
};

class Rounds {
 public:
  Rounds(const AdaptationTask& task, const Part& items, double scale)
      : rows_(items.rows), labels_(items.labels) {
    const auto mean = rows_.mean(0);
    centred_ = rows_ - mean;
    cosines_ = rows_.matmul(task.class_vectors.t());
    blend_ = {mean, task.class_vectors, at::zeros_like(task.class_vectors), torch::full({task.classes}, scale)};
    // The softmax curves by at most 1/2 along any direction of the logits (Boehning 1992).
    const auto narrow =
        centred_.size(0) < centred_.size(1) ? centred_.matmul(centred_.t()) : centred_.t().matmul(centred_);
    w_step_ = 2 / std::max(at::linalg_eigvalsh(narrow).max().item<double>(), 1e-12);
    alpha_step_ = 2 / std::max(cosines_.square().sum(0).max().item<double>(), 1e-12);
  }
  const Blend& blend() const { return blend_; }

  void next() {
    blend_.w -= w_step_ * residuals().t().matmul(centred_);
    if (++rounds_ % kTurn == 0) blend_.alpha -= alpha_step_ * (residuals() * cosines_).sum(0);
  }

 private:
  // [n, C]: the gradient of the sum of cross entropies with regard to the logits.
  torch::Tensor residuals() const {
    auto residuals = at::softmax(centred_.matmul(blend_.w.t()) + cosines_ * blend_.alpha, 1);
    const auto labels = labels_.unsqueeze(1);
    residuals.scatter_add_(1, labels, residuals.new_full({1, 1}, -1).expand_as(labels));
    return residuals;
  }

  torch::Tensor rows_, labels_, centred_, cosines_;
  Blend blend_;
  double w_step_ = 0, alpha_step_ = 0;
  int rounds_ = 0;
};

}  // namespace

Adapted fit_lp_blend(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t) {
  const Part all = joined(support, validation);
  // Calibrated on all items, as the names learned from none.
  const auto said = all.rows.matmul(task.class_vectors.t()) * task.logit_scale;
  const double scale = task.logit_scale * calibrated_scale(said, all.labels);
  Rounds rounds(task, support, scale);
  Judgement best;
  torch::Tensor best_logits;
  int best_round = 0;
  for (int round = 0, next = 0; round <= kRounds; ++round) {
    if (round == next) {
      const torch::Tensor logits = rounds.blend().logits(validation.rows);
      const Judgement judgement = judge(logits, validation.labels);
      if (judgement.better_than(best, Criterion::loss)) {
        best = judgement;
        best_logits = logits;
        best_round = round;
      }
      next = std::max(next + 1, next * 5 / 4);
    }
    rounds.next();
  }
  Rounds both(task, all, scale);
  for (int round = 0; round < best_round; ++round) both.next();
  return {.classifier = linear_classifier(both.blend().map()),
          .chosen = {{"rounds", best_round}},
          .validated = judged(best_logits, validation.labels)};
}

}  // namespace duet
