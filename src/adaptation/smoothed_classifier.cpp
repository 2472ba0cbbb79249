#include "adaptation/smoothed_classifier.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <algorithm>

#include "adaptation/classifiers.h"
#include "evaluation/knn.h"

namespace duet {
namespace {

constexpr int kRounds = 20;

struct Edge {
  std::int64_t from, to;
  float weight;
};

// Either is among the other's nearest, or both are (then there are two edges). Several items of one content are
// as near to each other as an item is to itself: it is left out by its row, not by its place.
std::vector<Edge> edges_of(const torch::Tensor& features, std::int64_t neighbours) {
  const std::int64_t count = features.size(0), most = std::min(neighbours, count - 1);
  const Neighbours found = nearest_neighbours(features, features, most + 1);
  const auto rows = found.rows.accessor<std::int64_t, 2>();
  const auto cosines = found.cosines.accessor<float, 2>();
  std::vector<Edge> edges;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t taken = 0;
    for (std::int64_t k = 0; k <= most && taken < most; ++k) {
      if (rows[i][k] == i) continue;
      ++taken;
      if (cosines[i][k] > 0) edges.push_back({i, rows[i][k], cosines[i][k]});
    }
  }
  return edges;
}

// [n, C]: the neighbours' mean
torch::Tensor neighbours_mean(const std::vector<Edge>& edges, const torch::Tensor& answers) {
  const std::int64_t classes = answers.size(1);
  torch::Tensor sums = torch::zeros_like(answers), weights = torch::zeros({answers.size(0), 1});
  const auto z = answers.accessor<float, 2>();
  auto sum = sums.accessor<float, 2>(), weight = weights.accessor<float, 2>();
  for (const auto& [from, to, share] : edges) {
    weight[from][0] += share;
    weight[to][0] += share;
    for (std::int64_t c = 0; c < classes; ++c) {
      sum[from][c] += share * z[to][c];
      sum[to][c] += share * z[from][c];
    }
  }
  return sums / weights.clamp_min(1e-12);
}

class SmoothedClassifier : public Classifier {
 public:
  SmoothedClassifier(std::unique_ptr<Classifier> inner, Smoothing smoothing)
      : inner_(std::move(inner)), smoothing_(std::move(smoothing)) {}

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    return smoothed(inner_->logits(items), unit_input_of(items, smoothing_.input), smoothing_);
  }
  std::string_view kind() const override { return "smoothed"; }
  nlohmann::json facts() const override {
    return {{"scale", smoothing_.scale},
            {"strength", smoothing_.strength},
            {"neighbours", smoothing_.neighbours},
            {"input", smoothing_.input},
            {"of", {{"kind", inner_->kind()}, {"classifier", inner_->facts()}}}};
  }
  TensorMap tensors() const override { return inner_->tensors(); }

 private:
  std::unique_ptr<Classifier> inner_;
  Smoothing smoothing_;
};

}  // namespace

std::unique_ptr<Classifier> smoothed_classifier(std::unique_ptr<Classifier> inner, Smoothing smoothing) {
  TORCH_CHECK(smoothing.neighbours >= 1, "smoothing needs a neighbour");
  return std::make_unique<SmoothedClassifier>(std::move(inner), std::move(smoothing));
}

torch::Tensor smoothed(const torch::Tensor& own, const torch::Tensor& features, const Smoothing& smoothing) {
  const torch::Tensor logits = own.to(torch::kFloat) * smoothing.scale;
  if (logits.size(0) < 2) return logits;
  const std::vector<Edge> edges = edges_of(features, smoothing.neighbours);
  torch::Tensor drawn = logits;
  for (int round = 0; round < kRounds; ++round)
    drawn = logits + neighbours_mean(edges, drawn.softmax(1).contiguous()) * smoothing.strength;
  return drawn;
}

}  // namespace duet
