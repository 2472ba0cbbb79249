// Small pictures on disk, for this and later runs: STEM.pixels holds raw RGB, picture after picture, STEM.index
// a record of 48 bytes for each. Any number of threads and processes append at once: a record is written after
// its pixels and carries checksums of both, so that what a killed process or a full disk leaves behind is never
// used.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "datasets/image.h"

namespace duet {

class PixelFile {
 public:
  explicit PixelFile(const std::filesystem::path& stem);  // made when absent; Error(failed)
  ~PixelFile();
  PixelFile(const PixelFile&) = delete;
  PixelFile& operator=(const PixelFile&) = delete;

  std::optional<Image> find(std::uint64_t key) const;  // nothing when the pixels are damaged
  // The newest picture of a key counts. When the disk is full nothing more is added, which is said once.
  void add(std::uint64_t key, const Image& image);

 private:
  struct Record {
    std::uint64_t key, offset, pixel_hash;
    std::uint32_t width, height;
    std::uint64_t mark, record_hash;
  };
  static std::uint64_t hash_of(const Record& record);
  void read_index(const std::filesystem::path& path);

  std::filesystem::path stem_;
  int pixels_ = -1, index_ = -1;
  bool full_ = false;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, Record> records_;
};

}  // namespace duet
