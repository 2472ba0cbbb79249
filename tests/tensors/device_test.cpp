#include "tensors/device.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>

#include "tests/support/failure.h"

namespace duet {
namespace {

const torch::Device kCpu(torch::kCPU);

TEST(ChooseDevice, KnowsItsThreeNames) {
  EXPECT_TRUE(choose_device("cpu").is_cpu());
  EXPECT_NO_THROW(choose_device("auto"));
  const Failure failure = failure_of([] { choose_device("gpu"); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_EQ(failure.text, "device: is 'gpu', expected one of auto, cpu, cuda; did you mean 'cpu'?");
}

TEST(ChooseDevice, CudaThatIsAbsentIsAnError) {
  if (choose_device("auto").is_cuda()) GTEST_SKIP() << "this machine has CUDA";
  EXPECT_EQ(failure_of([] { choose_device("cuda"); }).exit, Exit::usage);
}

TEST(SetComputeThreads, SetsAndReports) {
  EXPECT_EQ(set_compute_threads(1), 1);
  EXPECT_EQ(at::get_num_threads(), 1);
  EXPECT_EQ(set_compute_threads(2), 2);
  EXPECT_EQ(at::get_num_interop_threads(), 1);
  EXPECT_EQ(failure_of([] { set_compute_threads(-1); }).exit, Exit::usage);
}

TEST(SetComputeThreads, ZeroMeansTheCoresThisProcessMayUse) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(set_compute_threads(0), CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(set_compute_threads(0), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(ChoosePrecision, FollowsTheWish) {
  EXPECT_EQ(choose_precision("fp32", kCpu), Precision::fp32);
  EXPECT_EQ(choose_precision("bf16", kCpu), Precision::bf16);
  EXPECT_EQ(choose_precision("auto", torch::Device(torch::kCUDA, 0)), Precision::bf16);
  const Failure failure = failure_of([] { choose_precision("bf61", kCpu); });
  EXPECT_EQ(failure.exit, Exit::usage);
  EXPECT_EQ(failure.text, "precision: is 'bf61', expected one of auto, fp32, bf16; did you mean 'bf16'?");
}

TEST(ChoosePrecision, AutoIsFp32WhereBf16IsSlow) {
  const std::string kind = cpu_kind();
  if (kind == "AVX2" || kind == "DEFAULT") {
    EXPECT_EQ(choose_precision("auto", kCpu), Precision::fp32);
  }
  EXPECT_EQ(choose_precision("auto", kCpu), choose_precision("auto", kCpu));
}

TEST(Precision, HasAName) {
  EXPECT_EQ(name_of(Precision::fp32), "fp32");
  EXPECT_EQ(name_of(Precision::bf16), "bf16");
}

torch::Tensor product(const torch::Tensor& weight) { return torch::matmul(torch::ones({1, 2}), weight); }

TEST(Autocast, ComputesInBf16InItsScopeOnly) {
  const torch::Tensor weight = torch::ones({2, 2});
  {
    const Autocast autocast(Precision::bf16, kCpu);
    EXPECT_EQ(product(weight).scalar_type(), torch::kBFloat16);
    {
      const Autocast inner(Precision::fp32, kCpu);
      EXPECT_EQ(product(weight).scalar_type(), torch::kFloat32);
    }
    EXPECT_EQ(product(weight).scalar_type(), torch::kBFloat16);
  }
  EXPECT_EQ(product(weight).scalar_type(), torch::kFloat32);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
}

TEST(Autocast, RestoresWhenLeftByAnException) {
  try {
    const Autocast autocast(Precision::bf16, kCpu);
    throw 1;
  } catch (int) {
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
}

// Autocast caches the bf16 copy of a leaf that needs a gradient: the copy of one step must not serve the next.
TEST(Autocast, SeesAWeightThatChangedBetweenScopes) {
  torch::Tensor weight = torch::ones({2, 2}, torch::requires_grad());
  for (const float scale : {1.f, 3.f}) {
    {
      const torch::NoGradGuard no_grad;
      weight.fill_(scale);
    }
    const Autocast autocast(Precision::bf16, kCpu);
    EXPECT_EQ(product(weight).to(torch::kFloat32)[0][0].item<float>(), 2 * scale);
  }
}

}  // namespace
}  // namespace duet
