// AdamW against torch.optim.AdamW (golden/make_losses.py), and what the fused kernel must never be fed.
#include "optim/adamw.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

torch::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions());
}

torch::Tensor parameter(const torch::Tensor& value) { return value.clone().requires_grad_(true); }

double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(AdamW, FollowsPyTorchOverTenSteps) {
  const auto golden = load_tensors(std::string(DUET_GOLDEN) + "/adamw.safetensors");
  std::vector<ParameterPlan> plans = {
      {.name = "weight", .value = parameter(golden.at("start/weight")), .weight_decay = 0.2},
      {.name = "bias", .value = parameter(golden.at("start/bias"))},
      {.name = "kernel",
       .value = parameter(golden.at("start/kernel").contiguous(at::MemoryFormat::ChannelsLast)),
       .lr_scale = 3,
       .weight_decay = 0.2}};
  AdamW optimizer(plans, {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-6});
  for (int step = 0; step < 10; ++step) {
    for (auto& plan : plans) {
      const bool skipped = plan.name == "bias" && (step == 3 || step == 7);
      plan.value.mutable_grad() =
          skipped ? torch::Tensor() : golden.at(cat("gradient/", step, "/", plan.name)).clone();
    }
    optimizer.step(0.5 * (1 + std::cos(M_PI * step / 10)));
    for (const auto& plan : plans) {
      EXPECT_LT(distance(plan.value, golden.at(cat("after/", step, "/", plan.name))), 2e-6)
          << plan.name << " after step " << step;
    }
  }
  EXPECT_EQ(optimizer.state().at("bias.step").item<float>(), 8);
  EXPECT_EQ(optimizer.state().at("kernel.step").item<float>(), 10);
}

TEST(AdamW, LeavesParametersWithoutGradientAlone) {
  const auto a = parameter(random({3, 2}, 1)), b = parameter(random({3, 2}, 2));
  const auto before = b.detach().clone();
  AdamW optimizer(
      {{.name = "a", .value = a, .weight_decay = 0.5}, {.name = "b", .value = b, .weight_decay = 0.5}}, {});
  a.mutable_grad() = torch::ones({3, 2});
  optimizer.step(1);
  EXPECT_TRUE(b.equal(before));
  EXPECT_FALSE(optimizer.state().contains("b.step"));
  EXPECT_TRUE(optimizer.state().contains("a.step"));
  optimizer.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

TEST(AdamW, DecaysByLearningRateTimesDecay) {
  const auto a = parameter(random({3, 2}, 1));
  const auto before = a.detach().clone();
  AdamW optimizer({{.name = "a", .value = a, .weight_decay = 0.5}}, {.lr = 0.1});
  a.mutable_grad() = torch::zeros({3, 2});
  optimizer.step(0.5);
  EXPECT_LT(distance(a, before * (1 - 0.1 * 0.5 * 0.5)), 1e-7);
}

// Stopped after five of ten steps and restored from what a file holds: C order, new tensors.
void resume_is_exact(const torch::Tensor& start) {
  const auto gradient = [&](int step) { return random(start.sizes(), static_cast<std::uint64_t>(100 + step)); };
  const auto run = [&](AdamW& optimizer, const torch::Tensor& weight, int from, int to) {
    for (int step = from; step < to; ++step) {
      weight.mutable_grad() = gradient(step);
      optimizer.step(1);
    }
  };
  const auto whole = parameter(start), half = parameter(start);
  AdamW never_stopped({{.name = "w", .value = whole, .weight_decay = 0.1}}, {});
  run(never_stopped, whole, 0, 10);

  AdamW first({{.name = "w", .value = half, .weight_decay = 0.1}}, {});
  run(first, half, 0, 5);
  TensorMap file;
  for (const auto& [name, tensor] : first.state()) file[name] = tensor.contiguous().clone();
  const auto resumed = at::empty_like(start).copy_(half.detach().contiguous()).requires_grad_(true);
  AdamW second({{.name = "w", .value = resumed, .weight_decay = 0.1}}, {});
  second.load_state(file);
  EXPECT_EQ(second.state().at("w.exp_avg").strides(), start.strides());
  run(second, resumed, 5, 10);
  EXPECT_TRUE(resumed.equal(whole));
}

TEST(AdamW, ResumesExactly) { resume_is_exact(random({4, 3}, 3)); }

TEST(AdamW, ResumesExactlyInChannelsLast) {
  resume_is_exact(random({4, 3, 3, 3}, 3).contiguous(at::MemoryFormat::ChannelsLast));
  resume_is_exact(random({4, 3, 1, 1}, 3).contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(AdamW, RelaysGradientsOfAnotherLayout) {
  const auto start = random({4, 3, 3, 3}, 4), gradient = random({4, 3, 3, 3}, 5);
  const auto plain = parameter(start), last = parameter(start.contiguous(at::MemoryFormat::ChannelsLast));
  AdamW a({{.name = "w", .value = plain}}, {}), b({{.name = "w", .value = last}}, {});
  plain.mutable_grad() = gradient;
  last.mutable_grad() = gradient;  // C order, though the weight is not
  a.step(1);
  b.step(1);
  EXPECT_TRUE(last.equal(plain));
}

TEST(AdamW, RefusesStateOfAnotherModel) {
  const auto a = parameter(random({3, 2}, 1));
  AdamW optimizer({{.name = "a", .value = a}}, {});
  a.mutable_grad() = torch::ones({3, 2});
  optimizer.step(1);
  TensorMap good;
  for (const auto& [name, tensor] : optimizer.state()) good[name] = tensor.clone();
  auto other_name = good, missing = good, other_shape = good;
  other_name["b.step"] = torch::zeros({});
  missing.erase("a.exp_avg");
  other_shape["a.exp_avg"] = torch::zeros({2, 3});
  EXPECT_NO_THROW(optimizer.load_state(good));
  EXPECT_THROW(optimizer.load_state(other_name), Error);
  EXPECT_THROW(optimizer.load_state(missing), Error);
  EXPECT_THROW(optimizer.load_state(other_shape), Error);
  EXPECT_TRUE(
      optimizer.state().at("a.exp_avg").equal(good.at("a.exp_avg")));  // a refused state changes nothing
}

TEST(ClipGradients, ScalesTheJointNorm) {
  const auto a = parameter(random({3}, 1)), b = parameter(random({2, 2}, 2)), none = parameter(random({2}, 3));
  a.mutable_grad() = torch::full({3}, 2.0);
  b.mutable_grad() = torch::full({2, 2}, -1.0);
  const double norm = std::sqrt(3 * 4 + 4 * 1);
  EXPECT_NEAR(clip_gradients({a, b, none}, 0).item<double>(), norm, 1e-6);
  EXPECT_EQ(a.grad()[0].item<double>(), 2.0);
  EXPECT_NEAR(clip_gradients({a, b, none}, 100).item<double>(), norm, 1e-6);
  EXPECT_EQ(a.grad()[0].item<double>(), 2.0);  // below the limit nothing changes
  EXPECT_NEAR(clip_gradients({a, b, none}, 1).item<double>(), norm, 1e-6);
  EXPECT_NEAR(a.grad()[0].item<double>(), 2.0 / norm, 1e-6);
  EXPECT_NEAR(clip_gradients({a, b}, 0).item<double>(), 1, 1e-6);
  EXPECT_EQ(clip_gradients({none}, 1).item<double>(), 0);
}

}  // namespace
}  // namespace duet
