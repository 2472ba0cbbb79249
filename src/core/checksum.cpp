#include "core/checksum.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/error.h"

namespace duet {
namespace {

// The canonical (big-endian) form, so that the text equals what `xxhsum -H2` prints.
std::string hexadecimal(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

[[noreturn]] void fail_read(const std::filesystem::path& path) {
  fail(Exit::failed, path.string(), std::string("cannot be read: ") + std::strerror(errno));
}

}  // namespace

std::string checksum(std::span<const std::byte> bytes) {
  return hexadecimal(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string checksum(std::string_view text) { return hexadecimal(XXH3_128bits(text.data(), text.size())); }

// Reads instead of mapping: a file that another process cuts meanwhile gives another sum, not a SIGBUS.
std::string checksum_file(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail_read(path);
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  constexpr std::size_t kBuffer = 1 << 18;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
  for (;;) {
    const ssize_t count = read(file, buffer.get(), kBuffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int reason = errno;
      close(file);
      errno = reason;
      fail_read(path);
    }
    if (count == 0) break;
    XXH3_128bits_update(state.get(), buffer.get(), static_cast<std::size_t>(count));
  }
  close(file);
  return hexadecimal(XXH3_128bits_digest(state.get()));
}

std::uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace duet
