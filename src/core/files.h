// Reading, mapping and crash-safe writing. A save is a folder or file written under a temporary name beside its
// target, fsynced, renamed, and its parent fsynced: after a crash there is the old one or the new one, whole.
#pragma once
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace duet {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path);  // Error(failed) naming path and reason
// A plain write and fsync; Error(failed) on a full disk.
void write_file(const fs::path& path, std::string_view content);
// Temporary name, fsync, rename, fsync of the folder.
void replace_file(const fs::path& path, std::string_view content);
void sync_folder(const fs::path& folder);  // fsync of the folder itself
void sync_tree(const fs::path& folder);    // fsync of every file and folder below, and itself
// sync_tree, rename, fsync of the parent; Error(failed) where a folder with content stands already.
void publish_folder(const fs::path& temporary, const fs::path& final);
fs::path temporary_beside(const fs::path& target);  // ".name.tmp-PID"
void remove_leftovers(const fs::path& parent);      // such temporaries of processes that are gone

// Another process holding the lock is Error(failed, "... is in use by process N"). Death releases it too.
class FileLock {
 public:
  explicit FileLock(const fs::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_ = -1;
};

// A whole file, read-only, mapped. Moves; does not copy.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Appends to a log that a resumed run first cuts back to the length its checkpoint recorded.
class AppendFile {
 public:
  AppendFile(const fs::path& path,
             std::uintmax_t keep_bytes);  // truncates to keep_bytes (must not exceed the length)
  void write(std::string_view text);      // appended and flushed to the kernel; Error(failed)
  std::uintmax_t size() const { return size_; }
  void sync();
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

 private:
  fs::path path_;
  int file_ = -1;
  std::uintmax_t size_ = 0;
};

}  // namespace duet
