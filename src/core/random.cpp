#include "core/random.h"

#include <bit>
#include <cmath>
#include <numbers>

#include "core/checksum.h"

namespace duet {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
__extension__ using Wide = unsigned __int128;

std::uint64_t split_mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  return split_mix(state + kGolden + split_mix(value + kGolden));
}

std::uint64_t mix(std::uint64_t state, std::string_view value) { return mix(state, hash64(value)); }

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = split_mix(seed += kGolden);
}

std::uint64_t Random::bits() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double Random::uniform(double low, double high) {
  const double drawn = low + (high - low) * uniform();
  return drawn < high ? drawn : low;  // rounding may reach high
}

std::uint64_t Random::below(std::uint64_t count) {
  Wide product = Wide(bits()) * count;
  if (static_cast<std::uint64_t>(product) < count) {
    const std::uint64_t threshold = -count % count;
    while (static_cast<std::uint64_t>(product) < threshold) product = Wide(bits()) * count;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace duet
