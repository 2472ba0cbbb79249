#include "evaluation/knn.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "retrieval/rows.h"

namespace duet {
namespace {

constexpr std::int64_t kScores = 16'000'000;  // of a block: 64 MB
constexpr float kUndecided = 1e-5F;           // more than sgemm's rounding of a cosine
constexpr double kSpread = 1e-3;              // of the votes, over all classes

// [N], above zero.
torch::Tensor lengths_of(const torch::Tensor& rows) { return rows.norm(2, 1).clamp_min(1e-12); }

// The k best of one query's approximate cosines, told exactly.
class Selection {
 public:
  Selection(const torch::Tensor& gallery, const torch::Tensor& lengths, std::int64_t k)
      : rows_(gallery.const_data_ptr<float>()),
        lengths_(lengths.const_data_ptr<float>()),
        dimension_(gallery.size(1)),
        k_(static_cast<std::size_t>(k)) {}

  // `query` is of length 1, `cosines` [N].
  const std::vector<Hit>& of(const float* query, std::span<const float> cosines) {
    sorted_.assign(cosines.begin(), cosines.end());
    const auto last = sorted_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::nth_element(sorted_.begin(), last, sorted_.end(), std::greater<>());
    const float least = *last - kUndecided;
    hits_.clear();
    for (std::size_t row = 0; row < cosines.size(); ++row) {
      if (!(cosines[row] >= least)) continue;
      const auto at = static_cast<std::int64_t>(row);
      hits_.push_back({at, inner_product(query, rows_ + at * dimension_, dimension_) / lengths_[at]});
    }
    std::sort(hits_.begin(), hits_.end(), comes_before);
    hits_.resize(k_);
    return hits_;
  }

 private:
  const float *rows_, *lengths_;
  std::int64_t dimension_;
  std::size_t k_;
  std::vector<float> sorted_;
  std::vector<Hit> hits_;
};

// rows, weights [Q, k], targets [N, C] -> [Q, C]. In fp64: of nearly all votes few are left for the other
// answer.
torch::Tensor class_by_class(const torch::Tensor& rows, const torch::Tensor& weights,
                             const torch::Tensor& targets) {
  const auto labels = targets.to(torch::kDouble);
  auto votes = at::zeros({rows.size(0), labels.size(1)}, torch::kDouble);
  auto all = at::zeros({rows.size(0), 1}, torch::kDouble);  // in the same order
  for (std::int64_t rank = 0; rank < rows.size(1); ++rank) {
    const auto weight = weights.slice(1, rank, rank + 1).to(torch::kDouble);
    votes.addcmul_(weight, labels.index_select(0, rows.select(1, rank)));
    all.add_(weight);
  }
  const auto yes = votes / all * (1 - kSpread) + kSpread / 2;
  return (yes / (1 - yes)).log().to(torch::kFloat);
}

}  // namespace

Neighbours nearest_neighbours(const torch::Tensor& gallery, const torch::Tensor& queries, std::int64_t k) {
  TORCH_CHECK(gallery.is_contiguous() && gallery.scalar_type() == torch::kFloat);
  TORCH_CHECK(k >= 1 && k <= gallery.size(0), "k ", k, " of ", gallery.size(0), " rows");
  const std::int64_t count = gallery.size(0), asked = queries.size(0);
  const std::int64_t block = std::clamp<std::int64_t>(kScores / count, 1, 1024);
  const auto lengths = lengths_of(gallery);
  Neighbours found{at::empty({asked, k}, torch::kInt64), at::empty({asked, k}, torch::kFloat)};
  Selection selection(gallery, lengths, k);
  auto* rows = found.rows.mutable_data_ptr<std::int64_t>();
  auto* cosines = found.cosines.mutable_data_ptr<float>();
  for (std::int64_t begin = 0; begin < asked; begin += block) {
    auto part = queries.slice(0, begin, begin + block);
    part = (part / lengths_of(part).unsqueeze(1)).contiguous();
    const auto scores = part.matmul(gallery.t()).div_(lengths).contiguous();  // [block, N]
    for (std::int64_t query = 0; query < part.size(0); ++query) {
      const std::span all(scores.const_data_ptr<float>() + query * count, static_cast<std::size_t>(count));
      for (const Hit& hit : selection.of(part.const_data_ptr<float>() + query * part.size(1), all)) {
        *rows++ = hit.row;
        *cosines++ = hit.score;
      }
    }
  }
  return found;
}

torch::Tensor knn_logits(const Neighbours& neighbours, const torch::Tensor& targets, std::int64_t classes,
                         std::int64_t k, double temperature) {
  const auto rows = neighbours.rows.slice(1, 0, k);
  // Less the nearest one's cosine, so that no temperature overflows.
  const auto nearest = neighbours.cosines.slice(1, 0, 1);
  const auto weights = ((neighbours.cosines.slice(1, 0, k) - nearest) / temperature).exp();
  if (targets.dim() == 2) return class_by_class(rows, weights, targets);
  const auto votes = at::zeros({rows.size(0), classes}, torch::kFloat)
                         .scatter_add_(1, targets.index_select(0, rows.flatten()).view(rows.sizes()), weights);
  // Added up first, then divided: where all neighbours agree the share is 1, not nearly so, and such items are
  // equals in a ranking.
  const auto shares = votes / votes.sum(1, true);
  return (shares * (1 - kSpread) + kSpread / static_cast<double>(classes)).log();
}

ChosenK choose_k(const torch::Tensor& gallery, const torch::Tensor& targets, std::int64_t classes,
                 const torch::Tensor& validation, const torch::Tensor& validation_targets) {
  const std::int64_t most = std::min(kKnnMost, gallery.size(0));
  const Neighbours neighbours = nearest_neighbours(gallery, validation, most);
  ChosenK chosen;
  for (const std::int64_t k : {1, 2, 5, 10, 20, 50, 100, 200}) {
    if (k > most) break;
    const Judgement judgement = judge(knn_logits(neighbours, targets, classes, k), validation_targets);
    chosen.tried.emplace_back(k, judgement);
    if (!chosen.judgement.better_than(judgement)) {
      chosen.k = k;
      chosen.judgement = judgement;
    }
  }
  return chosen;
}

}  // namespace duet
