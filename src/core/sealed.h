// A sealed folder: its manifest.json names the format, the version, facts, and every file with size and
// XXH3-128, and carries a checksum of itself. Checkpoints and bundles are sealed folders, so that no changed
// byte is ever used.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace duet {

struct SealedFile {
  std::uintmax_t size = 0;
  std::string checksum;
};

struct Sealed {
  std::filesystem::path folder;
  int version = 0;
  nlohmann::json facts;                     // what seal_folder was given
  std::string identity;                     // the manifest's own checksum: names this very state
  std::map<std::string, SealedFile> files;  // by path below the folder
};

// Hashes all files below `folder` and writes manifest.json. No times, host names or absolute paths go in.
Sealed seal_folder(const std::filesystem::path& folder, std::string_view format, int version,
                   const nlohmann::json& facts);

// Reads and verifies everything. Error(artifact) naming the file that is missing, extra, cut or changed, a
// format that is another one's ("is a bundle, not a checkpoint"), or a version newer than `newest_version`.
Sealed open_sealed(const std::filesystem::path& folder, std::string_view format, int newest_version);

// Same without hashing files larger than `hash_up_to_bytes` (their sizes are checked): a query does not read a
// gigabyte of rows to answer. The caller verifies them by `verify_file` when they are first used in full.
Sealed open_sealed_quickly(const std::filesystem::path& folder, std::string_view format, int newest_version,
                           std::uintmax_t hash_up_to_bytes);
void verify_file(const Sealed& sealed, std::string_view name);

// Error(usage) when `path`, which need not be there, is a sealed folder or lies in one: one file more damages
// it as a whole. Whatever writes where a user says asks this before its work.
void check_outside_sealed(const std::filesystem::path& path);

}  // namespace duet
