// AdamW (Loshchilov and Hutter 2019) through ATen's fused kernel. The kernel walks raw storage, so moments
// always have their parameter's strides; state is made when a parameter gets its first gradient, and one
// without a gradient is left alone.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "optim/groups.h"
#include "tensors/tensor_file.h"

namespace duet {

struct AdamWOptions {
  double lr = 5e-4;           // at the top of the schedule
  double weight_decay = 0.2;  // what plan_parameters() is given: each parameter has its own
  double beta1 = 0.9, beta2 = 0.98;
  double eps = 1e-6;
};

class AdamW {
 public:
  AdamW(std::vector<ParameterPlan> plans, const AdamWOptions& options);

  // One step of all parameters that have a gradient and are not frozen; lr_share is the schedule's value, times
  // options.lr and the parameter's lr_scale.
  void step(double lr_share);
  void zero_grad();  // to undefined, so that a parameter no objective used is not stepped

  // The parameters that can be stepped, in order; for clip_gradients.
  std::vector<torch::Tensor> trainable() const;
  const std::vector<ParameterPlan>& plans() const { return plans_; }

  // "NAME.exp_avg", "NAME.exp_avg_sq" (aliases of the live state, in the parameter's strides) and "NAME.step"
  // ([] float).
  TensorMap state() const;
  // Copies into tensors with the parameter's strides; a parameter without an entry has no state afterwards.
  // Error(artifact) for a name that is no parameter's, a missing third of an entry, or another shape.
  void load_state(const TensorMap& state);

 private:
  struct Moments {
    torch::Tensor exp_avg, exp_avg_sq, step;
  };
  static Moments make_moments(const torch::Tensor& parameter);

  std::vector<ParameterPlan> plans_;
  std::vector<Moments> moments_;  // one a plan, undefined until the first gradient
  AdamWOptions options_;
};

// Scales all gradients so that their joint L2 norm is at most max_norm (0: only measures). Returns the norm
// before scaling,
// [] on the gradients' device; nothing waits for the device. 0 when no parameter has a gradient.
torch::Tensor clip_gradients(const std::vector<torch::Tensor>& parameters, double max_norm);

}  // namespace duet
