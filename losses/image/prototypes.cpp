#include "losses/image/prototypes.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/xlogy.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace duet {

double PrototypeOptions::teacher_temperature(double progress) const {
  const double share = warmup > 0 ? std::min(1.0, progress / warmup) : 1;
  return teacher_start + (teacher_end - teacher_start) * share;
}

PrototypeOptions read_prototypes(Config& objective) {
  PrototypeOptions o;
  o.head = read_projection(objective, o.head);
  o.count = objective.integer("prototypes", o.count, 2, 1 << 20);
  constexpr Range kTemperature = {1e-3, 10};
  o.temperature = objective.number("temperature", o.temperature, kTemperature);
  const auto ends = objective.numbers("teacher_temperature", {o.teacher_start, o.teacher_end}, kTemperature);
  if (ends.empty() || ends.size() > 2)
    objective.fail("teacher_temperature", cat("'teacher_temperature' has ", ends.size(), " numbers"),
                   "write a number, or [start, end]");
  o.teacher_start = ends.front();
  o.teacher_end = ends.back();
  o.warmup = objective.number("temperature_warmup", o.warmup, {0, 1});
  o.centre_momentum = objective.number("centre_momentum", o.centre_momentum, {0, 1});
  o.frozen = objective.number("freeze_prototypes", o.frozen, {0, 1});
  return o;
}

PrototypeHead::PrototypeHead(const Init& init, std::int64_t in, const PrototypeOptions& options)
    : projection_(add<Projection>(*this, init, "projection", in, options.head)) {
  const std::int64_t width = options.head.dimension;
  prototypes_ = register_parameter("prototypes", init.normal("prototypes", {options.count, width},
                                                             1 / std::sqrt(static_cast<double>(width))));
}

torch::Tensor PrototypeHead::forward(const torch::Tensor& x, bool frozen) const {
  const auto prototypes = unit(frozen ? prototypes_.detach() : prototypes_);
  return unit(projection_->forward(x)).matmul(prototypes.t());
}

Prototypes::Prototypes(const Init& init, std::int64_t in, const PrototypeOptions& options)
    : options_(options),
      student_(add<PrototypeHead>(*this, init, "student", in, options)),
      teacher_(add<PrototypeHead>(*this, init, "teacher", in, options)),
      centre_(register_buffer("centre", at::zeros({options.count}))),
      steps_(register_buffer("steps", at::zeros({}, torch::kLong))) {
  become(*teacher_, *student_);
}

double Prototypes::progress(const StepInfo& info) const {
  return steps_.item<double>() / static_cast<double>(info.steps);
}

torch::Tensor Prototypes::log_shares(const torch::Tensor& student, const StepInfo& info) const {
  const bool frozen = progress(info) < options_.frozen;
  return at::log_softmax(student_->forward(student, frozen) / options_.temperature, 1);
}

torch::Tensor Prototypes::targets(const torch::Tensor& teacher, const StepInfo& info) {
  const auto cosines = teacher_->forward(teacher);
  const auto mean = cosines.mean(0);
  if (is_training()) said_ = mean;
  return at::softmax((cosines - (begun() ? centre_ : mean)) / options_.teacher_temperature(progress(info)), 1);
}

void Prototypes::after_step(double momentum) {
  follow(*teacher_, *student_, momentum);
  if (!said_.defined()) return;
  const double kept = begun() ? options_.centre_momentum : 0;
  centre_.mul_(kept).add_(said_, 1 - kept);
  steps_.add_(1);
  said_.reset();
}

torch::Tensor spread(const torch::Tensor& targets) {
  const auto mean = targets.mean(0);
  return -at::xlogy(mean, mean).sum() / std::log(static_cast<double>(mean.size(0)));
}

}  // namespace duet
