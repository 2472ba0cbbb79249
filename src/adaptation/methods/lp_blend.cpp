// lp_blend: a picture classifier and the names' one, blended class by class, logits = rows w_c + alpha_c times
// zero-shot's, after LP++ (Huang et al. 2024). As there, w and (every tenth time) alpha take turns in steps
// whose sizes are bounds of the blocks' curvatures, so that there is no learning rate to choose. Otherwise than
// there: it starts from the names alone (w = 0, all alphas one calibrated scale), rows are read less their
// mean, the bound is that of the softmax, 1/2, and the number of rounds is chosen by the cross entropy on
// validation, none among the choices. Then as many rounds are done on support and validation together.
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include "adaptation/methods/kinds.h"
#include "adaptation/methods/linear_input.h"

namespace duet {
namespace {

constexpr int kRounds = 300, kTurn = 10;

struct Blend {
  torch::Tensor w;      // [C, D], of rows less the mean of those that are learned from
  torch::Tensor alpha;  // [C], of what the names say

  torch::Tensor logits(const torch::Tensor& centred, const torch::Tensor& told) const {
    return centred.matmul(w.t()) + told * alpha;
  }
};

class Rounds {
 public:
  Rounds(const AdaptationTask& task, const Part& items, double alpha)
      : task_(task),
        labels_(items.labels),
        mean_(items.rows.mean(0)),
        centred_(items.rows - mean_),
        told_(told(items.rows)),
        blend_{at::zeros({task.classes, items.rows.size(1)}), torch::full({task.classes}, alpha)} {
    // The softmax curves by at most 1/2 along any direction of the logits (Boehning 1992).
    const auto narrow =
        centred_.size(0) < centred_.size(1) ? centred_.matmul(centred_.t()) : centred_.t().matmul(centred_);
    w_step_ = 2 / std::max(at::linalg_eigvalsh(narrow).max().item<double>(), 1e-12);
    alpha_step_ = 2 / std::max(told_.square().sum(0).max().item<double>(), 1e-12);
  }

  void next() {
    blend_.w -= w_step_ * residuals().t().matmul(centred_);
    if (++rounds_ % kTurn == 0) blend_.alpha -= alpha_step_ * (residuals() * told_).sum(0);
  }
  torch::Tensor logits(const torch::Tensor& rows) const { return blend_.logits(rows - mean_, told(rows)); }
  NamesBlend blend() const {
    return {.map = {.weight = blend_.w, .bias = -blend_.w.mv(mean_), .input = "rows"},
            .alpha = blend_.alpha,
            .names = task_.name_vectors,
            .logit_scale = task_.logit_scale};
  }

 private:
  torch::Tensor told(const torch::Tensor& rows) const {
    return name_logits(rows, task_.name_vectors, task_.logit_scale);
  }
  // [n, C]: the gradient of the sum of cross entropies with regard to the logits.
  torch::Tensor residuals() const {
    auto residuals = at::softmax(blend_.logits(centred_, told_), 1);
    const auto labels = labels_.unsqueeze(1);
    residuals.scatter_add_(1, labels, residuals.new_full({1, 1}, -1).expand_as(labels));
    return residuals;
  }

  const AdaptationTask& task_;
  torch::Tensor labels_, mean_, centred_, told_;
  Blend blend_;
  double w_step_ = 0, alpha_step_ = 0;
  int rounds_ = 0;
};

}  // namespace

Adapted fit_lp_blend(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t) {
  const Part all = joined(support, validation);
  // Calibrated on all items, as the names learned from none.
  const auto told = name_logits(all.rows, task.name_vectors, task.logit_scale);
  const double alpha = calibrated_scale(told, all.labels);
  Rounds rounds(task, support, alpha);
  Judgement best;
  torch::Tensor best_logits;
  int best_round = 0;
  for (int round = 0, next = 0; round <= kRounds; ++round) {
    if (round == next) {
      const torch::Tensor logits = rounds.logits(validation.rows);
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
  Rounds both(task, all, alpha);
  for (int round = 0; round < best_round; ++round) both.next();
  return {.classifier = blend_classifier(both.blend()),
          .chosen = {{"rounds", best_round}},
          .validated = judged(best_logits, validation.labels)};
}

}  // namespace duet
