#include "core/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

[[noreturn]] void fail_with(const fs::path& path, std::string_view what, int reason) {
  std::string_view remedy;
  if (reason == ENOSPC || reason == EDQUOT) remedy = "free some space and run again";
  if (reason == EMFILE) remedy = "raise the limit of open files (ulimit -n)";
  fail(Exit::failed, path.string(), cat("cannot be ", what, ": ", std::strerror(reason)), remedy);
}

// Closes at the end of its scope; close_checked() where a late error of the file system matters.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, std::string_view what) : path_(path), what_(what) {
    do file_ = open(path.c_str(), flags | O_CLOEXEC, 0666);
    while (file_ < 0 && errno == EINTR);
    if (file_ < 0) fail_with(path, what, errno);
  }
  ~Descriptor() {
    if (file_ >= 0) close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return file_; }
  int release() { return std::exchange(file_, -1); }
  void close_checked() {
    if (close(release()) != 0 && errno != EINTR) fail_with(path_, what_, errno);
  }

 private:
  const fs::path& path_;
  std::string_view what_;
  int file_ = -1;
};

void write_all(int file, const fs::path& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with(path, "written", errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

// Pipes and terminals cannot be synchronised, and need not be.
void sync_descriptor(int file, const fs::path& path) {
  int result;
  do result = fsync(file);
  while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) fail_with(path, "written", errno);
}

void rename_checked(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0) fail_with(to, "put in place", errno);
}

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

constexpr std::string_view kTemporaryMark = ".tmp-";

// The process number at the end of a temporary's name; 0 for any other name.
pid_t owner_of_temporary(const std::string& name) {
  const auto mark = name.rfind(kTemporaryMark);
  if (name.empty() || name[0] != '.' || mark == std::string::npos || mark < 2) return 0;
  const std::string digits = name.substr(mark + kTemporaryMark.size());
  const bool number = !digits.empty() && digits.size() < 10 &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::stoi(digits) : 0;
}

bool is_gone(pid_t process) { return kill(process, 0) != 0 && errno == ESRCH; }

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY, "read");
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail_with(path, "read", errno);
  std::string content(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)) + 1, '\0');
  std::size_t filled = 0;
  for (;;) {  // until the end is seen: a pipe has no size, a log may grow
    if (filled == content.size()) content.resize(std::max<std::size_t>(4096, 2 * content.size()));
    const ssize_t count = read(file.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with(path, "read", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return content;
}

void write_file(const fs::path& path, std::string_view content) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC, "written");
  write_all(file.get(), path, content);
  sync_descriptor(file.get(), path);
  file.close_checked();
}

void replace_file(const fs::path& path, std::string_view content) {
  const fs::path temporary = temporary_beside(path);
  try {
    write_file(temporary, content);
    rename_checked(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_folder(parent_of(path));
}

void sync_folder(const fs::path& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY, "written");
  sync_descriptor(file.get(), folder);
}

void sync_tree(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_symlink()) continue;
    const bool is_folder = entry->is_directory();
    if (!is_folder && !entry->is_regular_file()) continue;
    const Descriptor file(entry->path(), is_folder ? O_RDONLY | O_DIRECTORY : O_RDONLY, "written");
    sync_descriptor(file.get(), entry->path());
  }
  if (error) fail_with(folder, "read", error.value());
  sync_folder(folder);
}

void publish_folder(const fs::path& temporary, const fs::path& final) {
  sync_tree(temporary);
  rename_checked(temporary, final);
  sync_folder(parent_of(final));
}

fs::path temporary_beside(const fs::path& target) {
  const fs::path plain = target.has_filename() ? target : target.parent_path();  // "run/" names run
  return plain.parent_path() / cat(".", plain.filename().string(), kTemporaryMark, getpid());
}

void remove_leftovers(const fs::path& parent) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
    const pid_t owner = owner_of_temporary(entry->path().filename().string());
    if (owner > 0 && is_gone(owner)) leftovers.push_back(entry->path());
  }
  for (const fs::path& leftover : leftovers)
    fs::remove_all(leftover, error);  // best effort: it only costs space
}

FileLock::FileLock(const fs::path& path) {
  Descriptor file(path, O_RDWR | O_CREAT, "locked");
  int result;
  do result = flock(file.get(), LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) {
    std::string owner = read_file(path);
    while (!owner.empty() && std::isspace(static_cast<unsigned char>(owner.back()))) owner.pop_back();
    fail(Exit::failed, parent_of(path).string(),
         cat("is in use by ", owner.empty() ? "another process" : "process " + owner),
         "wait for it or stop it");
  }
  if (result != 0) fail_with(path, "locked", errno);
  if (ftruncate(file.get(), 0) != 0) fail_with(path, "locked", errno);
  write_all(file.get(), path, cat(getpid(), "\n"));
  file_ = file.release();
}

FileLock::~FileLock() { close(file_); }

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(path, O_RDONLY, "read");
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail_with(path, "read", errno);
  if (S_ISDIR(status.st_mode)) fail_with(path, "read", EISDIR);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses an empty range
  void* start = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (start == MAP_FAILED) fail_with(path, "mapped", errno);
  data_ = static_cast<const std::byte*>(start);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AppendFile::AppendFile(const fs::path& path, std::uintmax_t keep_bytes) : path_(path), size_(keep_bytes) {
  Descriptor file(path, O_RDWR | O_CREAT | O_APPEND, "written");
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail_with(path, "written", errno);
  if (static_cast<std::uintmax_t>(status.st_size) < keep_bytes) {
    fail(Exit::artifact, path.string(),
         cat("holds ", status.st_size, " bytes, fewer than the ", keep_bytes, " that were recorded"),
         "it was cut or replaced since: put the old file back");
  }
  if (S_ISREG(status.st_mode) && ftruncate(file.get(), static_cast<off_t>(keep_bytes)) != 0) {
    fail_with(path, "cut", errno);
  }
  file_ = file.release();
}

void AppendFile::write(std::string_view text) {
  try {
    write_all(file_, path_, text);
  } catch (...) {
    // no half a line stays behind a full disk; if even this fails, the next resume cuts it
    [[maybe_unused]] const int ignored = ftruncate(file_, static_cast<off_t>(size_));
    throw;
  }
  size_ += text.size();
}

void AppendFile::sync() { sync_descriptor(file_, path_); }

AppendFile::~AppendFile() { close(file_); }

}  // namespace duet
