// XXH3-128 as lower-case hexadecimal, the checksum of every file that duet writes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace duet {

std::string checksum(std::span<const std::byte> bytes);
std::string checksum(std::string_view text);
std::string checksum_file(const std::filesystem::path& path);  // Error(failed) when it cannot be read
std::uint64_t hash64(std::string_view text);                   // XXH3-64: ids of captions, concepts, pictures

}  // namespace duet
