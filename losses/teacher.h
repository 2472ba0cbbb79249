// Momentum teachers: a picture tower that follows the one being trained as a running mean (Tarvainen and
// Valpola 2017; He et al. 2020). They belong to the trainer; objectives that ask for the same schedule share
// one.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config.h"
#include "encoders/model.h"
#include "tensors/tensor_file.h"

namespace duet {

// How much of itself a teacher keeps in a step: from `start` to `end` along a cosine over the run (BYOL, DINO);
// start = end is MoCo's constant.
struct Momentum {
  double start = 0.996, end = 1;
  double at(double progress) const;  // progress: 0..1
  bool operator==(const Momentum&) const = default;
};
// Key momentum of an objective: a number, or [start, end].
Momentum read_momentum(Config& objective, Momentum defaults);

// twin = momentum * twin + (1 - momentum) * live for parameters; buffers (running statistics) are copied.
void follow(torch::nn::Module& twin, const torch::nn::Module& live, double momentum);
// The same values, without gradients: where a twin starts. Error (c10) when they are not of one shape.
void become(torch::nn::Module& twin, const torch::nn::Module& live);

class Teacher {
 public:
  Teacher(const Model& model, const Momentum& momentum);  // equal to the model's picture tower
  const Momentum& momentum() const { return momentum_; }

  struct Seen {
    torch::Tensor pooled, tokens;  // [N, width], [N, L, D]
  };
  // [N, 3, H, W] float, normalised. A tower with batch statistics uses the batch's own while the student
  // trains, as the student does; one without is in evaluation mode, so that nothing is dropped.
  Seen see(const torch::Tensor& images) const;
  void update(double progress);  // once a step, after the student's

 private:
  friend class Teachers;
  const Model& student_;
  Momentum momentum_;
  std::shared_ptr<ImageEncoder> image_;
};

class Teachers {
 public:
  explicit Teachers(const Model& student) : student_(student) {}
  // The teacher of a schedule, made at the first call; the model must have a picture tower. Valid as long as
  // this object.
  const Teacher& of(const Momentum& momentum);
  void update(double progress);
  void to(torch::Device device);
  TensorMap tensors() const;  // "0.image.NAME", in order of the first calls; aliases

 private:
  const Model& student_;
  std::vector<std::unique_ptr<Teacher>> teachers_;
};

}  // namespace duet
