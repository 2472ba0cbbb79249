// The built programs: what they link, how the front finds the engine, and that both parse alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Ran {
  int exit_code = 0;
  std::string output;
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  char buffer[4096];
  for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) ran.output.append(buffer, got);
  const int status = pclose(pipe);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

std::string quoted(const fs::path& path) { return cat("'", path.string(), "'"); }

// Everything the loader would map, not only what the program names itself.
std::string shared_objects(const fs::path& program) {
  const Ran ran = run(cat("ldd ", quoted(program)));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  return ran.output;
}

// An engine that tells what it was started with.
fs::path fake_engine(const fs::path& path) {
  fs::create_directories(path.parent_path());
  write_file(path, "#!/bin/sh\nprintf 'engine'\nprintf ' [%s]' \"$@\"\necho\nexit 7\n");
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

TEST(Programs, FrontLinksNeitherLibTorchNorOpenCV) {
  const std::string objects = shared_objects(DUET_PROGRAM);
  for (const char* heavy : {"libtorch", "libc10", "libopencv", "libcudart", "libcudnn"})
    EXPECT_THAT(objects, Not(HasSubstr(heavy)));
  for (const char* needed : {"libsqlite3", "libsentencepiece"}) EXPECT_THAT(objects, HasSubstr(needed));
  EXPECT_THAT(objects, Not(HasSubstr("not found")));
}

TEST(Programs, EngineLinksWhatTheFrontDoesNot) {
  const std::string objects = shared_objects(DUET_ENGINE_PROGRAM);
  for (const char* heavy : {"libtorch_cpu", "libopencv_core"}) EXPECT_THAT(objects, HasSubstr(heavy));
  EXPECT_THAT(objects, Not(HasSubstr("not found")));
}

TEST(Programs, HelpNeedsNoEngine) {
  const Ran help = run(cat("DUET_ENGINE=/nowhere ", quoted(DUET_PROGRAM), " train --help"));
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, StartsWith("duet train: "));
  EXPECT_EQ(run(cat(quoted(DUET_PROGRAM), " serch")).exit_code, 2);
}

TEST(Programs, FrontBecomesTheEngineWithTheSameArguments) {
  const TemporaryFolder folder;
  const fs::path engine = fake_engine(folder / "engine");
  const Ran ran = run(
      cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " -q train 'a b.toml' --set x=\"'1'\""));
  EXPECT_EQ(ran.output, "engine [-q] [train] [a b.toml] [--set] [x='1']\n");
  EXPECT_EQ(ran.exit_code, 7);
  const Ran image =
      run(cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " search --image q.png"));
  EXPECT_EQ(image.output, "engine [search] [--image] [q.png]\n");
}

TEST(Programs, EngineIsFoundBesideAMovedFrontAndThroughALink) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  fake_engine(folder / "libexec/duet/duet-engine");
  EXPECT_EQ(run(cat(quoted(folder / "bin/duet"), " check r.toml")).output, "engine [check] [r.toml]\n");
  fs::create_symlink(folder / "bin/duet", folder / "link");
  EXPECT_EQ(run(cat("cd / && ", quoted(folder / "link"), " check r.toml")).output, "engine [check] [r.toml]\n");
}

TEST(Programs, MissingEngineIsNamed) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  const Ran ran = run(cat(quoted(folder / "bin/duet"), " check r.toml"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr((folder / "libexec/duet/duet-engine").string()));
  EXPECT_THAT(ran.output, HasSubstr("DUET_ENGINE"));
  const Ran self = run(cat("DUET_ENGINE=", quoted(DUET_PROGRAM), " ", quoted(DUET_PROGRAM), " check r.toml"));
  EXPECT_EQ(self.exit_code, 1);
  EXPECT_THAT(self.output, HasSubstr("not its engine"));
}

TEST(Programs, FullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Ran ran = run(cat(quoted(DUET_PROGRAM), " man > /dev/full"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr("standard output: cannot write"));
}

TEST(Programs, TokenizerIsTrainedUsedAndReadFromARun) {
  const TemporaryFolder folder;
  std::string captions;
  for (const char* colour : {"red", "blue", "green", "yellow"}) {
    for (const char* thing : {"heart", "circle", "square", "Häuschen", "赤い心"})
      captions += cat("a ", colour, " ", thing, "\r\n");
  }
  write_file(folder / "captions.txt", captions);
  const std::string duet = quoted(DUET_PROGRAM), model = quoted(folder / "run/tokenizer.model");
  fs::create_directories(folder / "run");
  const Ran train = run(
      cat(duet, " tokenizer train ", quoted(folder / "captions.txt"), " --out ", model, " --vocabulary 300"));
  ASSERT_EQ(train.exit_code, 0) << train.output;
  EXPECT_THAT(train.output, HasSubstr("from 20 captions"));
  const Ran piped = run(cat(duet, " -q tokenizer train - --vocabulary 300 --out ",
                            quoted(folder / "piped.model"), " < ", quoted(folder / "captions.txt")));
  EXPECT_THAT(piped.output, IsEmpty());
  EXPECT_EQ(read_file(folder / "piped.model"), read_file(folder / "run/tokenizer.model"));
  const std::string run_folder = quoted(folder / "run");
  const Ran encoded = run(cat(duet, " tokenizer encode ", run_folder, " 'a red heart' 'green 赤い心'"));
  ASSERT_EQ(encoded.exit_code, 0) << encoded.output;
  std::istringstream lines(encoded.output);
  std::string first, second;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second));
  EXPECT_EQ(run(cat(duet, " tokenizer decode ", run_folder, " ", first)).output, "a red heart\n");
  EXPECT_EQ(run(cat("echo ", second, " | ", duet, " tokenizer decode ", model)).output, "green 赤い心\n");
  EXPECT_THAT(run(cat(duet, " tokenizer encode --pieces ", model, " 'a red'")).output, HasSubstr("\u2581"));
}

TEST(Programs, TokenizerErrorsNameWhatIsWrong) {
  const TemporaryFolder folder;
  write_file(folder / "latin.txt", "fine\ncaf\xE9\n");
  write_file(folder / "empty.txt", "\n\n");
  write_file(folder / "photos.csv", "filepath,caption\n");
  write_file(folder / "broken.model", "no model");
  const std::string duet = quoted(DUET_PROGRAM), out = cat(" --out ", quoted(folder / "x.model"));
  struct Case {
    std::string arguments;
    int exit_code;
    std::string said;
  };
  const std::vector<Case> cases = {
      {cat("tokenizer train ", quoted(folder / "latin.txt"), out), 3, "latin.txt:2"},
      {cat("tokenizer train ", quoted(folder / "empty.txt"), out), 3, "empty.txt"},
      {cat("tokenizer train ", quoted(folder / "none.txt"), out), 3, "none.txt"},
      {cat("tokenizer train ", quoted(folder / "photos.csv"), out), 2, "manifest"},
      {cat("tokenizer encode ", quoted(folder / "broken.model"), " x"), 4, "broken.model"},
      {cat("tokenizer encode ", quoted(folder.path()), " x"), 4, "tokenizer.model"},
      {cat("tokenizer encode ", quoted(folder / "none"), " x"), 4, "none"},
  };
  for (const Case& one : cases) {
    const Ran ran = run(cat(duet, " ", one.arguments));
    EXPECT_EQ(ran.exit_code, one.exit_code) << one.arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(one.said));
    EXPECT_THAT(ran.output, StartsWith("error: "));
    EXPECT_FALSE(fs::exists(folder / "x.model"));
  }
}

}  // namespace
}  // namespace duet
