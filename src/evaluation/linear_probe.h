// A linear map from frozen features to logits, and how one of several is chosen on items held out.
#pragma once
#include <torch/types.h>

#include <limits>

namespace duet {

struct LinearProbe {
  torch::Tensor weight;  // [C, F] fp32
  torch::Tensor bias;    // [C] fp32
  torch::Tensor logits(const torch::Tensor& features) const { return features.matmul(weight.t()) + bias; }
};

// What is chosen by. Accuracy: of equal ones, the loss decides. Loss: it says more where few items are held
// out.
enum class Criterion { accuracy, loss };

// What items held out say of a classifier's logits as they are: a Verdict (adaptation/method.h) scales them
// first.
struct Judgement {
  double accuracy = -1;
  double loss = std::numeric_limits<double>::infinity();
  bool better_than(const Judgement& other, Criterion by = Criterion::accuracy) const;
};
// logits [N, C]. Targets [N] int64: accuracy (of equal logits the smaller class is the answer) and mean cross
// entropy. Targets [N, C] of 0 and 1: share of items whose answer is one of their labels, and mean binary cross
// entropy.
Judgement judge(const torch::Tensor& logits, const torch::Tensor& targets);

}  // namespace duet
