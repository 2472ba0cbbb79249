#include "evaluation/lbfgs.h"

#include <ATen/ops/dot.h>
#include <ATen/ops/empty_like.h>

#include <deque>
#include <utility>

namespace duet {
namespace {

constexpr double kDecrease = 1e-4, kCurvature = 0.9;  // of the Wolfe conditions
constexpr double kRounding = 1e-10;                   // of a value, relative
constexpr int kTrials = 12;                           // of one line search
constexpr int kStandstill = 4;                        // iterations in which neither value nor slope fell

double dot_of(const torch::Tensor& a, const torch::Tensor& b) { return at::dot(a, b).item<double>(); }

struct Place {
  torch::Tensor point, gradient;
  double value = 0;
  torch::Tensor guess = {};  // the first inverse Hessian times the gradient
};

// The last steps and how the gradient changed along them: an approximation of the inverse Hessian.
class Curvature {
 public:
  explicit Curvature(int limit) : limit_(static_cast<std::size_t>(limit)) {}

  void add(const Place& from, const Place& to) {
    Pair pair{to.point - from.point, to.gradient - from.gradient, to.guess - from.guess, 0};
    const double along = dot_of(pair.step, pair.change);
    if (!(along > 0)) return;  // the Wolfe conditions promise it, but for rounding
    pair.weight = 1 / along;
    scale_ = along / dot_of(pair.change, pair.guess);
    if (pairs_.size() == limit_) pairs_.pop_front();
    pairs_.push_back(std::move(pair));
  }

  // Algorithm 7.4: minus the approximation times the gradient. The first inverse Hessian is linear, so that of
  // what the first loop leaves, it is put together from those of the gradient and of its changes.
  torch::Tensor direction(const Place& place) const {
    torch::Tensor rest = -place.gradient, direction = -place.guess;
    std::vector<double> shares(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      shares[i] = pairs_[i].weight * dot_of(pairs_[i].step, rest);
      rest.sub_(pairs_[i].change, shares[i]);
      direction.sub_(pairs_[i].guess, shares[i]);
    }
    direction.mul_(scale_);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const double back = pairs_[i].weight * dot_of(pairs_[i].change, direction);
      direction.add_(pairs_[i].step, shares[i] - back);
    }
    return direction;
  }

  bool empty() const { return pairs_.empty(); }
  void forget() {
    pairs_.clear();
    scale_ = 1;
  }

 private:
  struct Pair {
    torch::Tensor step, change, guess;
    double weight;
  };

  std::size_t limit_;
  std::deque<Pair> pairs_;
  double scale_ = 1;
};

// One end of the interval that holds an acceptable step.
struct End {
  double step = 0, slope = 0;
};

double next_step(const End& low, const End& high, bool bounded) {
  if (!bounded) return low.step * 4;
  // Where the straight line through both slopes crosses zero, well inside of the interval.
  const double crossing = high.slope > 0 ? low.slope / (low.slope - high.slope) : 0.5;
  return low.step + (high.step - low.step) * std::clamp(std::isfinite(crossing) ? crossing : 0.5, 0.1, 0.9);
}

// A step from `from` along `direction`, found between ends whose slopes say on which side the minimum lies.
// False: nothing that rounding can tell from standing still.
bool search(const SmoothFunction& function, const Place& from, const torch::Tensor& direction, Place& to,
            int& evaluations) {
  const double slope = dot_of(from.gradient, direction);
  if (!(slope < 0)) return false;
  const double blur = kRounding * std::abs(from.value);
  End low{0, slope}, high;
  bool bounded = false;
  double step = 1;
  to.gradient = at::empty_like(from.gradient);
  for (int trial = 0; trial < kTrials; ++trial) {
    to.point = from.point.add(direction, step);
    to.value = function(to.point, to.gradient);
    ++evaluations;
    const double here = dot_of(to.gradient, direction);
    const bool lower = to.value <= from.value + kDecrease * step * slope ||
                       (to.value <= from.value + blur && here <= (2 * kDecrease - 1) * slope);
    if (lower && here >= kCurvature * slope) return true;
    if (lower) {
      low = {step, here};
    } else {
      high = {step, here};
      bounded = true;
    }
    step = next_step(low, high, bounded);
  }
  return false;
}

}  // namespace

LbfgsResult minimize(const SmoothFunction& function, const torch::Tensor& start, const LbfgsOptions& options) {
  Place here{start.clone(), at::empty_like(start)};
  here.value = function(here.point, here.gradient);
  const auto guess_of = [&](const torch::Tensor& gradient) {
    return options.inverse_hessian ? options.inverse_hessian(gradient) : gradient;
  };
  here.guess = guess_of(here.gradient);
  LbfgsResult result{.evaluations = 1};
  Curvature curvature(options.history);
  double slope = here.gradient.norm().item<double>(), lowest = slope;
  int standing = 0;
  const auto is_flat = [&] { return slope <= options.tolerance * here.point.norm().item<double>(); };
  while (!(result.converged = is_flat()) && result.iterations < options.iterations && standing < kStandstill) {
    Place next;
    if (!search(function, here, curvature.direction(here), next, result.evaluations)) {
      if (curvature.empty()) break;
      curvature.forget();
      continue;
    }
    next.guess = guess_of(next.gradient);
    curvature.add(here, next);
    const double fall = here.value - next.value;
    here = std::move(next);
    slope = here.gradient.norm().item<double>();
    standing = fall > kRounding * std::abs(here.value) || slope < lowest ? 0 : standing + 1;
    lowest = std::min(lowest, slope);
    ++result.iterations;
  }
  result.point = here.point;
  result.value = here.value;
  return result;
}

}  // namespace duet
