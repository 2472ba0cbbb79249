// The built programs: what they link, how the front finds the engine, that both parse alike.
#include <gmock/gmock.h>

#include <string>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/shell.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Everything the loader would map, not only what the program names itself.
std::string shared_objects(const fs::path& program) {
  const ShellResult ran = shell(cat("ldd ", quoted(program)));
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
  const ShellResult help = shell(cat("DUET_ENGINE=/nowhere ", quoted(DUET_PROGRAM), " train --help"));
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, StartsWith("duet train: "));
  EXPECT_EQ(shell(cat(quoted(DUET_PROGRAM), " serch")).exit_code, 2);
}

TEST(Programs, FrontBecomesTheEngineWithTheSameArguments) {
  const TemporaryFolder folder;
  const fs::path engine = fake_engine(folder / "engine");
  const ShellResult ran = shell(
      cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " -q train 'a b.toml' --set x=\"'1'\""));
  EXPECT_EQ(ran.output, "engine [-q] [train] [a b.toml] [--set] [x='1']\n");
  EXPECT_EQ(ran.exit_code, 7);
  const ShellResult image =
      shell(cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " search --image q.png"));
  EXPECT_EQ(image.output, "engine [search] [--image] [q.png]\n");
}

TEST(Programs, EngineIsFoundBesideAMovedFrontAndThroughALink) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  fake_engine(folder / "libexec/duet/duet-engine");
  EXPECT_EQ(shell(cat(quoted(folder / "bin/duet"), " check r.toml")).output, "engine [check] [r.toml]\n");
  fs::create_symlink(folder / "bin/duet", folder / "link");
  EXPECT_EQ(shell(cat("cd / && ", quoted(folder / "link"), " check r.toml")).output,
            "engine [check] [r.toml]\n");
}

TEST(Programs, MissingEngineIsNamed) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  const ShellResult ran = shell(cat(quoted(folder / "bin/duet"), " check r.toml"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr((folder / "libexec/duet/duet-engine").string()));
  EXPECT_THAT(ran.output, HasSubstr("DUET_ENGINE"));
  const ShellResult self =
      shell(cat("DUET_ENGINE=", quoted(DUET_PROGRAM), " ", quoted(DUET_PROGRAM), " check r.toml"));
  EXPECT_EQ(self.exit_code, 1);
  EXPECT_THAT(self.output, HasSubstr("not its engine"));
}

TEST(Programs, FullDiskIsAnError) {
  const ShellResult ran = shell(cat(quoted(DUET_PROGRAM), " man > /dev/full"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr("standard output: cannot write"));
}

}  // namespace
}  // namespace duet
