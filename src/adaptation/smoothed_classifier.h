// Another classifier's answers, drawn towards those of each item's nearest neighbours among the items that are
// asked together (LaplacianShot, Ziko et al. 2020). Transductive: what is asked beside an item counts, and an
// item that is asked alone has the other classifier's answer.
#pragma once
#include "adaptation/method.h"

namespace duet {

struct Smoothing {
  double scale = 1;             // makes probabilities of the other classifier's logits
  double strength = 3;          // what is added to a class's logit that all neighbours are sure of
  std::int64_t neighbours = 3;  // by cosine; of two items one that has the other is enough
  std::string input = "rows";   // rows | tower: what cosines are of
};
std::unique_ptr<Classifier> smoothed_classifier(std::unique_ptr<Classifier> inner, Smoothing smoothing);

// own [n, C] logits, features [n, D] -> [n, C]: own + strength * sum_j w_ij z_j, z being softmax of the same,
// by repeated replacement (the paper's bound optimisation). w_ij is the cosine of neighbours, each row of w
// sums to 1; an item without a neighbour of a positive cosine keeps its own.
torch::Tensor smoothed(const torch::Tensor& own, const torch::Tensor& features, const Smoothing& smoothing);

}  // namespace duet
