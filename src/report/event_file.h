// TensorBoard event files: TFRecord framing with masked CRC32C around Event protobufs holding scalars.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/files.h"

namespace duet {

std::uint32_t crc32c(std::string_view bytes);  // Castagnoli's polynomial, as in RFC 3720

class EventFile {
 public:
  // Continues a file that is cut back to keep_bytes first; 0 starts it with the version record.
  EventFile(const std::filesystem::path& path, std::uintmax_t keep_bytes);
  // `wall_time` in seconds since 1970. Error(failed) on a full disk.
  void scalar(std::string_view tag, std::int64_t step, double value, double wall_time);
  std::uintmax_t size() const { return file_.size(); }
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

}  // namespace duet
