#include "core/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

// A process number that is surely free: a child that has ended and was waited for.
pid_t dead_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

TEST(ReadFile, GivesAllBytes) {
  const TemporaryFolder folder;
  const std::string content("a\0b\r\n\xff", 6);
  write_file(folder / "x", content);
  EXPECT_EQ(read_file(folder / "x"), content);
  write_file(folder / "x", "");
  EXPECT_EQ(read_file(folder / "x"), "");
}

TEST(ReadFile, NamesPathAndReason) {
  const TemporaryFolder folder;
  EXPECT_EQ(failure_of([&] { read_file(folder / "none"); }).text,
            (folder / "none").string() + ": cannot be read: No such file or directory");
  EXPECT_EQ(failure_of([&] { read_file(folder.path()); }).text,
            folder.path().string() + ": cannot be read: Is a directory");
}

TEST(WriteFile, AFullDiskIsAnErrorThatNamesThePath) {
  const Failure failure = failure_of([] { write_file("/dev/full", "x"); });
  EXPECT_EQ(failure.exit, Exit::failed);
  EXPECT_EQ(failure.text,
            "/dev/full: cannot be written: No space left on device; free some space and run again");
}

TEST(WriteFile, AMissingFolderIsAnError) {
  EXPECT_EQ(failure_of([] { write_file("/nowhere/x", "x"); }).text,
            "/nowhere/x: cannot be written: No such file or directory");
}

// A limit on the size of files stands in for a disk that fills up in the middle of a write.
TEST(WriteFile, AShortWriteIsAnError) {
  const TemporaryFolder folder;
  const fs::path path = folder / "big";
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Failure failure = failure_of([&] { replace_file(path, std::string(5000, 'x')); });
    const bool named = failure.text.find("big") != std::string::npos && failure.exit == Exit::failed;
    _exit(named && fs::is_empty(folder.path()) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ReplaceFile, ReplacesAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  replace_file(folder / "x", "old");
  replace_file(folder / "x", "new");
  EXPECT_EQ(read_file(folder / "x"), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(ReplaceFile, KeepsTheOldFileWhenItFails) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "x");
  write_file(folder / "x" / "inside", "kept");
  EXPECT_EQ(failure_of([&] { replace_file(folder / "x", "new"); }).exit, Exit::failed);
  EXPECT_EQ(read_file(folder / "x" / "inside"), "kept");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(PublishFolder, PutsAWholeFolderInPlace) {
  const TemporaryFolder folder;
  const fs::path target = folder / "step-5", temporary = temporary_beside(target);
  fs::create_directories(temporary / "a" / "b");
  write_file(temporary / "a" / "b" / "x", "1");
  publish_folder(temporary, target);
  EXPECT_EQ(read_file(target / "a" / "b" / "x"), "1");
  EXPECT_FALSE(fs::exists(temporary));
}

TEST(PublishFolder, DoesNotReplaceAFolderThatHoldsSomething) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "new");
  fs::create_directory(folder / "old");
  write_file(folder / "old" / "x", "1");
  EXPECT_EQ(failure_of([&] { publish_folder(folder / "new", folder / "old"); }).exit, Exit::failed);
  EXPECT_EQ(read_file(folder / "old" / "x"), "1");
}

TEST(TemporaryBeside, LiesInTheSameFolder) {
  const std::string number = std::to_string(getpid());
  EXPECT_EQ(temporary_beside("a/b"), fs::path("a/.b.tmp-" + number));
  EXPECT_EQ(temporary_beside("a/b/"), fs::path("a/.b.tmp-" + number));
  EXPECT_EQ(temporary_beside("b"), fs::path(".b.tmp-" + number));
}

TEST(RemoveLeftovers, TakesThoseOfDeadProcessesOnly) {
  const TemporaryFolder folder;
  const std::string dead = cat(".model.tmp-", dead_process()), mine = cat(".model.tmp-", getpid());
  fs::create_directories(folder / dead / "deep");
  write_file(folder / dead / "deep" / "x", "1");
  for (const std::string& name :
       {mine, std::string(".x.tmp-"), std::string(".tmp-1"), std::string("x.tmp-99999999"),
        std::string(".x.tmp-99999999999999999999"), std::string(".x.tmp-12a")}) {
    write_file(folder / name, "");
  }
  remove_leftovers(folder.path());
  EXPECT_FALSE(fs::exists(folder / dead));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 6);
  remove_leftovers(folder / "not there");
}

TEST(FileLock, KeepsOthersOutUntilItIsGone) {
  const TemporaryFolder folder;
  {
    const FileLock lock(folder / ".lock");
    const Failure failure = failure_of([&] { const FileLock second(folder / ".lock"); });
    EXPECT_EQ(failure.exit, Exit::failed);
    EXPECT_NE(failure.text.find(cat("is in use by process ", getpid())), std::string::npos) << failure.text;
    EXPECT_EQ(failure.text.find(folder.path().string() + ":"), 0u) << failure.text;
  }
  const FileLock again(folder / ".lock");
}

TEST(FileLock, IsReleasedByDeath) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    const FileLock lock(folder / ".lock");
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(failure_of([&] { const FileLock lock(folder / ".lock"); }).exit, Exit::ok);
}

TEST(MappedFile, ShowsTheBytesAndMoves) {
  const TemporaryFolder folder;
  write_file(folder / "x", "hello");
  MappedFile file(folder / "x");
  ASSERT_EQ(file.bytes().size(), 5u);
  EXPECT_EQ(std::memcmp(file.bytes().data(), "hello", 5), 0);
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.bytes().size(), 5u);
  MappedFile assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.bytes().size(), 5u);
}

TEST(MappedFile, EmptyFilesAndErrors) {
  const TemporaryFolder folder;
  write_file(folder / "empty", "");
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
  EXPECT_EQ(failure_of([&] { MappedFile(folder / "none"); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([&] { MappedFile map(folder.path()); }).text,
            folder.path().string() + ": cannot be read: Is a directory");
}

TEST(AppendFile, CutsBackAndGoesOn) {
  const TemporaryFolder folder;
  {
    AppendFile log(folder / "log", 0);
    log.write("one\n");
    log.write("two\n");
    EXPECT_EQ(log.size(), 8u);
  }
  {
    AppendFile log(folder / "log", 4);
    EXPECT_EQ(log.size(), 4u);
    log.write("three\n");
    log.sync();
  }
  EXPECT_EQ(read_file(folder / "log"), "one\nthree\n");
}

TEST(AppendFile, RefusesAFileThatIsTooShort) {
  const TemporaryFolder folder;
  write_file(folder / "log", "abc");
  const Failure failure = failure_of([&] { AppendFile log(folder / "log", 4); });
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_NE(failure.text.find("holds 3 bytes, fewer than the 4"), std::string::npos) << failure.text;
  EXPECT_EQ(read_file(folder / "log"), "abc");
}

TEST(AppendFile, AFullDiskIsAnError) {
  AppendFile log("/dev/full", 0);
  EXPECT_EQ(failure_of([&] { log.write("x"); }).exit, Exit::failed);
  EXPECT_EQ(log.size(), 0u);
}

}  // namespace
}  // namespace duet
