// Text from values. ({fmt} is kept out of headers: LibTorch carries another version of it than Debian's
// spdlog.)
#pragma once
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace duet {

// The arguments one after the other, as `<<` prints them.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

std::string fixed(double value, int digits);   // fixed(.1234, 3) = "0.123"
std::string grouped(std::int64_t value);       // 11687 -> "11,687"
std::string human_bytes(std::uint64_t bytes);  // "1.5 GB"
std::string human_seconds(double seconds);     // "0.3 s", "42 s", "3 min 20 s", "2 h 05 min"
std::string joined(std::span<const std::string> words, std::string_view between = ", ");

// The option nearest to `word` (edit distance at most a third of its length), or empty.
std::string closest(std::string_view word, std::span<const std::string> options);
// "; did you mean 'x'?" or "" when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> options);

}  // namespace duet
