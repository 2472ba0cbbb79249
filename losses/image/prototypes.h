// The loss of a teacher without labels, on whole pictures (DINO, Caron et al. 2021) and on patches (iBOT, Zhou
// et al. 2022): both sides share themselves out among prototypes, and the student's shares are to be the
// teacher's. The teacher's are sharpened by a low temperature and centred by a running mean, so that neither
// one prototype nor all of them evenly can be the answer to everything.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "core/config.h"
#include "losses/heads.h"
#include "losses/objective.h"

namespace duet {

struct PrototypeOptions {
  // DINO: 2,048 and 256, and 65,536 prototypes for a million pictures; it loses little with 4,096.
  ProjectionOptions head = {.layers = 3, .hidden = 512, .dimension = 256};
  std::int64_t count = 4096;
  double temperature = 0.1;  // the student's
  // DINO; 0.07 in its long runs. Too near the student's it sharpens less than two views of a picture blur, and
  // all answers become even.
  double teacher_start = 0.04, teacher_end = 0.04;  // linear over `warmup`
  double warmup = 0.1;                              // a share of the run's steps (DINO: 30 of 300 epochs)
  double centre_momentum = 0.9;
  double frozen = 0.01;  // this share passes before the prototypes are trained (DINO: the first epoch)
  double teacher_temperature(double progress) const;
};
// Keys head_*, prototypes, temperature, teacher_temperature (a number, or [start, end]), temperature_warmup,
// centre_momentum, freeze_prototypes.
PrototypeOptions read_prototypes(Config& objective);

// A projection to the unit sphere, then the cosine with each prototype: DINO's last layer, whose weight is
// normalised. [N, in] -> [N, K]
class PrototypeHead : public torch::nn::Module {
 public:
  PrototypeHead(const Init& init, std::int64_t in, const PrototypeOptions& options);
  torch::Tensor forward(const torch::Tensor& x, bool frozen = false) const;  // frozen: the prototypes

 private:
  std::shared_ptr<Projection> projection_;
  torch::Tensor prototypes_;  // [K, dimension]
};

// The student's head, its twin for the teacher, and the centre. Warm-up and freezing begin with the first step
// that trains it, which may be late in a run; the centre starts at that step's mean: from zero, all pictures
// would have one answer until it has caught up, and a short run does not recover from that.
class Prototypes : public torch::nn::Module {
 public:
  Prototypes(const Init& init, std::int64_t in, const PrototypeOptions& options);
  torch::Tensor log_shares(const torch::Tensor& student, const StepInfo& info) const;  // [N, in] -> [N, K]
  // [N, in] -> [N, K], rows that sum to 1. While training, what the teacher said is kept for the centre.
  torch::Tensor targets(const torch::Tensor& teacher, const StepInfo& info);
  void after_step(double momentum);  // twin and centre follow

 private:
  double progress(const StepInfo& info) const;  // own steps over the run's
  bool begun() const { return steps_.item<std::int64_t>() > 0; }

  PrototypeOptions options_;
  std::shared_ptr<PrototypeHead> student_, teacher_;
  torch::Tensor centre_;  // [K]
  torch::Tensor steps_;   // [] int64: that trained it
  torch::Tensor said_;    // [K]: mean of this step
};

// Entropy of the mean target over the largest there is: 1 where all prototypes are used evenly, 0 where one is
// the answer to everything. [N, K] -> []
torch::Tensor spread(const torch::Tensor& targets);

}  // namespace duet
