// Initial values: a draw is a function of (seed, full parameter name), so that adding a module changes no
// other's values.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace duet {

// Passed down constructors: Linear(init / "proj", in, out) draws "….proj.weight".
class Init {
 public:
  explicit Init(std::uint64_t seed, std::string path = {}) : seed_(seed), path_(std::move(path)) {}
  Init operator/(std::string_view name) const;
  torch::Tensor normal(std::string_view name, at::IntArrayRef shape, double std) const;
  torch::Tensor truncated_normal(std::string_view name, at::IntArrayRef shape,
                                 double std) const;  // cut at 2 std
  torch::Tensor uniform(std::string_view name, at::IntArrayRef shape, double low, double high) const;
  const std::string& path() const { return path_; }

 private:
  std::uint64_t seed_;
  std::string path_;
};

}  // namespace duet
