#include "losses/teacher.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/format.h"
#include "encoders/low_rank.h"

namespace duet {

double Momentum::at(double progress) const {
  return end - (end - start) * (std::cos(std::numbers::pi * progress) + 1) / 2;
}

Momentum read_momentum(Config& objective, Momentum defaults) {
  const auto ends = objective.numbers("momentum", {defaults.start, defaults.end}, {0, 1});
  if (ends.empty() || ends.size() > 2)
    objective.fail("momentum", cat("'momentum' has ", ends.size(), " numbers"),
                   "write a number, or [start, end]");
  return {ends.front(), ends.back()};
}

void follow(torch::nn::Module& twin, const torch::nn::Module& live, double momentum) {
  const torch::NoGradGuard no_grad;
  const TensorMap now = merged_tensors(live);
  const auto value_of = [&now](const std::string& name) {
    const auto found = now.find(name);
    TORCH_CHECK(found != now.end(), "follow: modules of different shapes, at ", name);
    return found->second;
  };
  for (const auto& item : twin.named_parameters())
    item.value().mul_(momentum).add_(value_of(item.key()), 1 - momentum);
  for (const auto& item : twin.named_buffers()) item.value().copy_(value_of(item.key()));
}

void become(torch::nn::Module& twin, const torch::nn::Module& live) {
  for (const auto& parameter : twin.parameters()) parameter.set_requires_grad(false);
  follow(twin, live, 0);
}

Teacher::Teacher(const Model& model, const Momentum& momentum)
    : student_(model), momentum_(momentum), image_(model.spec().image.make(Init(0))) {
  const auto parameters = model.image->parameters();
  if (!parameters.empty()) image_->to(parameters.front().device());
  become(*image_, *model.image);
}

Teacher::Seen Teacher::see(const torch::Tensor& images) const {
  image_->train(student_.image->is_training() && !image_->buffers().empty());
  const torch::NoGradGuard no_grad;
  const auto tokens = image_->encode(image_->embed(images));
  return {image_->pool(tokens), tokens};
}

void Teacher::update(double progress) { follow(*image_, *student_.image, momentum_.at(progress)); }

const Teacher& Teachers::of(const Momentum& momentum) {
  const auto found = std::find_if(teachers_.begin(), teachers_.end(),
                                  [&](const auto& teacher) { return teacher->momentum() == momentum; });
  if (found != teachers_.end()) return **found;
  return *teachers_.emplace_back(std::make_unique<Teacher>(student_, momentum));
}

void Teachers::update(double progress) {
  for (const auto& teacher : teachers_) teacher->update(progress);
}

void Teachers::to(torch::Device device) {
  for (const auto& teacher : teachers_) teacher->image_->to(device);
}

TensorMap Teachers::tensors() const {
  TensorMap tensors;
  for (std::size_t i = 0; i < teachers_.size(); ++i) {
    for (const auto& [name, tensor] : tensors_of(*teachers_[i]->image_))
      tensors[cat(i, ".image.", name)] = tensor;
  }
  return tensors;
}

}  // namespace duet
