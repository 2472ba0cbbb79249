#include "datasets/pixel_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <string_view>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr std::uint64_t kMark = 0x3158495054455544;  // "DUETPIX1"

std::string_view view_of(const void* data, std::size_t size) { return {static_cast<const char*>(data), size}; }

int open_for_append(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0)
    fail(Exit::failed, path.string(), cat("cannot be opened: ", std::strerror(errno)),
         "set data.cache_folder to a folder that can be written, or data.cache = \"memory\"");
  return file;
}

// In one write, so that what several processes append never mixes.
bool append(int file, std::string_view bytes) {
  ssize_t written;
  do {
    written = ::write(file, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(bytes.size());
}

}  // namespace

PixelFile::PixelFile(const fs::path& stem) : stem_(stem) {
  std::error_code ignored;  // opening says what is wrong
  fs::create_directories(stem.parent_path(), ignored);
  pixels_ = open_for_append(stem.string() + ".pixels");
  index_ = open_for_append(stem.string() + ".index");
  read_index(stem.string() + ".index");
}

PixelFile::~PixelFile() {
  ::close(pixels_);
  ::close(index_);
}

std::uint64_t PixelFile::hash_of(const Record& record) {
  return hash64(view_of(&record, offsetof(Record, record_hash)));
}

// A record is known by its mark and its checksum: half of one that a full disk left does not hide those behind
// it.
void PixelFile::read_index(const fs::path& path) {
  static_assert(sizeof(Record) == 48);
  struct stat status {};
  ::fstat(pixels_, &status);
  const auto end = static_cast<std::uint64_t>(status.st_size);
  const std::string bytes = read_file(path);
  for (std::size_t at = 0; at + sizeof(Record) <= bytes.size();) {
    Record record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    const bool whole = record.mark == kMark && record.record_hash == hash_of(record);
    const std::uint64_t size = std::uint64_t{3} * record.width * record.height;
    if (whole && size > 0 && record.offset <= end && size <= end - record.offset)
      records_.insert_or_assign(record.key, record);
    at += whole ? sizeof record : 1;
  }
}

std::optional<Image> PixelFile::find(std::uint64_t key) const {
  Record record;
  {
    const std::shared_lock lock(mutex_);
    const auto found = records_.find(key);
    if (found == records_.end()) return std::nullopt;
    record = found->second;
  }
  Image image{static_cast<int>(record.width), static_cast<int>(record.height), {}};
  image.rgb.resize(image.offset(image.height));
  const ssize_t got = ::pread(pixels_, image.rgb.data(), image.rgb.size(), static_cast<off_t>(record.offset));
  if (got != static_cast<ssize_t>(image.rgb.size())) return std::nullopt;
  if (hash64(view_of(image.rgb.data(), image.rgb.size())) != record.pixel_hash) return std::nullopt;
  return image;
}

void PixelFile::add(std::uint64_t key, const Image& image) {
  const std::string_view bytes = view_of(image.rgb.data(), image.rgb.size());
  const std::uint64_t pixel_hash = hash64(bytes);
  const std::scoped_lock lock(mutex_);
  if (full_ || bytes.empty()) return;
  bool written = append(pixels_, bytes);
  if (written) {
    // After an append the position is the end of what was just written, whoever else appends.
    const auto end = static_cast<std::uint64_t>(::lseek(pixels_, 0, SEEK_CUR));
    Record record{.key = key,
                  .offset = end - bytes.size(),
                  .pixel_hash = pixel_hash,
                  .width = static_cast<std::uint32_t>(image.width),
                  .height = static_cast<std::uint32_t>(image.height),
                  .mark = kMark,
                  .record_hash = 0};
    record.record_hash = hash_of(record);
    written = append(index_, view_of(&record, sizeof record));
    if (written) records_.insert_or_assign(key, record);
  }
  if (written) return;
  full_ = true;
  log_warning(cat(stem_.string(), ".pixels: cannot be written (", std::strerror(errno),
                  "); further pictures are decoded each time"));
}

}  // namespace duet
