// Randomness as a function of what it is for: every draw in duet comes from Random(seed_of(seed, "what", step,
// ...)), never from a generator that an earlier call has moved. So runs resume exactly and do not depend on
// thread counts.
#pragma once
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace duet {

std::uint64_t mix(std::uint64_t state, std::uint64_t value);     // SplitMix64 finaliser over both
std::uint64_t mix(std::uint64_t state, std::string_view value);  // XXH3-64 of the text, then as above

template <class... Parts>
std::uint64_t seed_of(std::uint64_t seed, const Parts&... parts) {
  const auto one = [](std::uint64_t state, const auto& part) {
    if constexpr (std::integral<std::decay_t<decltype(part)>>)
      return mix(state, static_cast<std::uint64_t>(part));
    else
      return mix(state, std::string_view(part));
  };
  ((seed = one(seed, parts)), ...);
  return seed;
}

// xoshiro256** (Blackman and Vigna 2018), seeded by SplitMix64. Same numbers on every platform.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t bits();
  double uniform();                          // [0, 1)
  double uniform(double low, double high);   // [low, high)
  std::uint64_t below(std::uint64_t count);  // 0..count-1 without bias (Lemire 2019); count > 0
  double normal();                           // N(0, 1), Box-Muller
  bool chance(double probability) { return uniform() < probability; }

  template <class T>
  void shuffle(std::span<T> items) {  // Fisher-Yates
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_[4];
};

}  // namespace duet
