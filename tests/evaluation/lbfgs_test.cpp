#include "evaluation/lbfgs.h"

#include <ATen/ops/linspace.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

// Rosenbrock's valley, as often as there are pairs.
double rosenbrock(const torch::Tensor& point, torch::Tensor& gradient) {
  double value = 0;
  for (std::int64_t i = 0; i < point.numel(); i += 2) {
    const double x = point[i].item<double>(), y = point[i + 1].item<double>();
    value += std::pow(1 - x, 2) + 100 * std::pow(y - x * x, 2);
    gradient[i] = -2 * (1 - x) - 400 * x * (y - x * x);
    gradient[i + 1] = 200 * (y - x * x);
  }
  return value;
}

TEST(Lbfgs, FollowsACurvedValley) {
  const auto result = minimize(rosenbrock, torch::tensor({-1.2, 1., 2., -3.}, torch::kDouble));
  EXPECT_TRUE(result.converged);
  EXPECT_LT((result.point - 1).abs().max().item<double>(), 1e-4);
  EXPECT_LT(result.iterations, 100);
}

TEST(Lbfgs, SolvesAnIllConditionedParabola) {
  const auto curves = at::logspace(-2, 2, 30, 10, torch::kDouble);
  const auto wanted = at::linspace(-2, 5, 30, torch::kDouble);
  const auto function = [&](const torch::Tensor& point, torch::Tensor& gradient) {
    gradient.copy_(curves * (point - wanted));
    return 0.5 * (curves * (point - wanted).square()).sum().item<double>();
  };
  const auto result = minimize(function, torch::zeros({30}, torch::kDouble), {.tolerance = 1e-9});
  EXPECT_TRUE(result.converged);
  EXPECT_LT((result.point - wanted).abs().max().item<double>(), 1e-4);
  // Who knows the curvatures needs no search.
  const auto told = minimize(
      function, torch::zeros({30}, torch::kDouble),
      {.tolerance = 1e-9, .inverse_hessian = [&](const torch::Tensor& gradient) { return gradient / curves; }});
  EXPECT_TRUE(told.converged);
  EXPECT_LE(told.iterations, 2);
}

TEST(Lbfgs, StopsAtOnceInTheMinimum) {
  const auto result = minimize(rosenbrock, torch::ones({2}, torch::kDouble));
  EXPECT_TRUE(result.converged);
  EXPECT_EQ(result.iterations, 0);
  EXPECT_EQ(result.evaluations, 1);
}

TEST(Lbfgs, SaysThatItsIterationsWereUsedUp) {
  const auto result = minimize(rosenbrock, torch::tensor({-1.2, 1.}, torch::kDouble), {.iterations = 3});
  EXPECT_FALSE(result.converged);
  EXPECT_EQ(result.iterations, 3);
}

// Values that are rounded to single precision tell nothing near the minimum; slopes do.
TEST(Lbfgs, GoesOnWhereValuesAreRoundedAway) {
  const auto curves = at::linspace(1, 50, 20, torch::kDouble);
  const auto function = [&](const torch::Tensor& point, torch::Tensor& gradient) {
    gradient.copy_(curves * (point - 1));
    return 1e6 + 0.5 * (curves * (point - 1).square()).sum().item<double>();
  };
  const auto result = minimize(function, torch::zeros({20}, torch::kDouble), {.tolerance = 1e-8});
  EXPECT_TRUE(result.converged);
  EXPECT_LT((result.point - 1).abs().max().item<double>(), 1e-7);
}

TEST(Lbfgs, GivesUpOnASlopeThatIsWrong) {
  const auto function = [](const torch::Tensor& point, torch::Tensor& gradient) {
    gradient.fill_(-1);
    return point.square().sum().item<double>();
  };
  EXPECT_FALSE(minimize(function, torch::ones({2}, torch::kDouble)).converged);
}

}  // namespace
}  // namespace duet
