#include "encoders/init.h"

#include <cmath>

#include "core/random.h"

namespace duet {
namespace {

template <class Draw>
torch::Tensor drawn(std::uint64_t seed, const std::string& path, std::string_view name, at::IntArrayRef shape,
                    Draw draw) {
  Random random(seed_of(seed, path, name));
  torch::Tensor values = torch::empty(shape, torch::kFloat);
  float* value = values.data_ptr<float>();
  for (std::int64_t i = 0, count = values.numel(); i < count; ++i) value[i] = static_cast<float>(draw(random));
  return values;
}

}  // namespace

Init Init::operator/(std::string_view name) const {
  return Init(seed_, path_.empty() ? std::string(name) : path_ + "." + std::string(name));
}

torch::Tensor Init::normal(std::string_view name, at::IntArrayRef shape, double std) const {
  return drawn(seed_, path_, name, shape, [std](Random& random) { return std * random.normal(); });
}

torch::Tensor Init::truncated_normal(std::string_view name, at::IntArrayRef shape, double std) const {
  return drawn(seed_, path_, name, shape, [std](Random& random) {
    double value = random.normal();
    while (std::abs(value) > 2) value = random.normal();
    return std * value;
  });
}

torch::Tensor Init::uniform(std::string_view name, at::IntArrayRef shape, double low, double high) const {
  return drawn(seed_, path_, name, shape, [low, high](Random& random) { return random.uniform(low, high); });
}

}  // namespace duet
