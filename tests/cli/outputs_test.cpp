// What is printed and written of work on a run, and what of it cannot be.
#include <gmock/gmock.h>
#include <unistd.h>

#include <set>
#include <string>

#include "core/files.h"
#include "core/format.h"
#include "on_a_run.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kFewshot = "fewshot run --data data --methods ridge --shots 1 --seeds 1 ";

class OutputsOfARun : public OnARun {
 protected:
  void write_inputs() const {
    classes("data", 4);
    write_file(folder_ / "texts", "a red circle\n");
    write_file(folder_ / "names", "red\nblue\n");
  }
  void expect_refused(const std::string& arguments, const std::string& why) const {
    const ShellResult ran = duet(arguments);
    EXPECT_EQ(ran.exit_code, 2) << arguments;
    EXPECT_THAT(ran.output, testing::AllOf(StartsWith("error: --"), HasSubstr(why))) << arguments;
  }
};

// "closed" takes no files, also of who may write everywhere: then it is a mount, which not everybody may make.
class OnAClosedFolder : public OutputsOfARun {
 protected:
  void SetUp() override {
    OutputsOfARun::SetUp();
    fs::create_directories(closed_);
    if (shell(cat("mount -t tmpfs -o ro none ", quoted(closed_))).exit_code != 0)
      fs::permissions(closed_, fs::perms::owner_read | fs::perms::owner_exec);
    if (access(closed_.c_str(), W_OK) == 0) GTEST_SKIP() << "root that may not mount: every folder takes files";
  }
  void TearDown() override { shell(cat("umount ", quoted(closed_), "; chmod 755 ", quoted(closed_))); }

  const fs::path closed_ = folder_ / "closed";
};

TEST_F(OutputsOfARun, ScoresArePrintedBeforeTheyAreSaved) {
  fs::create_directory(run_ / "results.json");
  const ShellResult ran = duet("evaluate run --data some=shapes:20:3");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, testing::AllOf(HasSubstr("text to image"), HasSubstr("results.json: "),
                                         HasSubstr("--no-save only prints the scores")));
  classes("test", 2);
  const ShellResult told = duet("evaluate run --task zero_shot --data test --report page.html");
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.output, testing::AllOf(HasSubstr("top-1"), HasSubstr("results.json: ")));
  EXPECT_TRUE(fs::exists(folder_ / "page.html"));
}

TEST_F(OutputsOfARun, AFullStandardOutputIsSaidAsSuch) {
  for (const char* form : {"", "--json"}) {
    const ShellResult ran = duet(cat("evaluate run --data some=shapes:20:3 ", form, " > /dev/full"));
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.output, HasSubstr("standard output: cannot write: No space left on device"));
    EXPECT_TRUE(fs::remove(run_ / "results.json"));  // that much could be written
  }
}

// Of a file's name any bytes are allowed.
TEST_F(OutputsOfARun, APathThatIsNoUtf8LosesNoScores) {
  classes("d\xdf/test", 4);
  const std::string data = "'d\xdf/test'";
  ShellResult ran = duet(cat("evaluate run --task zero_shot --data ", data));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_THAT(read_file(run_ / "results.json"), HasSubstr("\"data\": \"d\ufffd/test\""));
  ran = duet(cat("fewshot run --data ", data,
                 " --methods ridge --shots 1 --seeds 1 --json --csv table.csv --report page.html --save kept"));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("\"data\": \"d\ufffd/test\""));
  for (const char* file : {"table.csv", "page.html", "kept/classifier"})
    EXPECT_TRUE(fs::exists(folder_ / file));
}

TEST_F(OutputsOfARun, OutputsThatCannotBeAreRefusedBeforeTheWork) {
  write_inputs();
  fs::create_directories(folder_ / "there.npy");
  expect_refused("embed run --texts texts --out there.npy", "--out: there.npy is a folder; name a file");
  expect_refused("classify run --texts texts --labels names --out there.npy", "--out: there.npy is a folder");
  expect_refused("evaluate run --task zero_shot --data data --report there.npy",
                 "--report: there.npy is a folder");
  for (const std::string option : {"--csv", "--latex", "--report", "--results", "--splits"})
    expect_refused(cat(kFewshot, option, " there.npy"), cat(option, ": there.npy is a folder"));
  expect_refused(cat(kFewshot, "--save texts"), "--save: texts is a file");
}

TEST_F(OutputsOfARun, FewshotWritesWhatItCan) {
  classes("data", 4);
  const std::string too_long = std::string(250, 'x') + ".csv";  // with the mark of a temporary
  const ShellResult ran =
      duet(cat(kFewshot, "--csv ", too_long, " --latex table.tex --report page.html --save birds/"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr("File name too long"));
  for (const char* file : {"table.tex", "page.html", "birds/classifier"})
    EXPECT_TRUE(fs::exists(folder_ / file)) << file << "\n" << ran.output;
}

// A limit for files is a disk that runs full.
TEST_F(OutputsOfARun, EachOutputThatCannotBeWrittenIsNamed) {
  classes("data", 4);
  classes("test", 3);
  drawing("test/dark/2.bmp", '\x50');
  const ShellResult ran =
      shell(cat("trap '' XFSZ; ulimit -f 0; cd ", quoted(folder_.path()), " && ", quoted(DUET_PROGRAM),
                " evaluate run --task ridge --train data --data test --leave-out-shared --save "
                "kept --report page.html"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, testing::AllOf(HasSubstr("error: kept/"), HasSubstr("page.html.tmp"),
                                         HasSubstr("results.json.tmp")));
}

// A limit for files is a disk that runs full.
TEST_F(OutputsOfARun, EmbeddingsThatCannotBeWrittenLeaveThoseOfBefore) {
  write_file(folder_ / "few", "a red circle\n");
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += cat("a red circle ", i, "\n");
  write_file(folder_ / "many", lines);
  for (const std::string out : {"rows.safetensors", "rows.npy"}) {
    ASSERT_EQ(duet("embed run --texts few --out " + out).exit_code, 0);
    const std::string before = read_file(folder_ / out);
    const std::set<std::string> files = files_below(folder_.path());
    const ShellResult ran = shell(cat("trap '' XFSZ; ulimit -f 16; cd ", quoted(folder_.path()), " && ",
                                      quoted(DUET_PROGRAM), " embed run --texts many --out ", out));
    EXPECT_EQ(ran.exit_code, 1) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("File too large"));
    EXPECT_EQ(read_file(folder_ / out), before) << out;
    EXPECT_EQ(files_below(folder_.path()), files);
  }
}

TEST_F(OnAClosedFolder, OutputsAreRefusedBeforeTheWork) {
  write_inputs();
  const std::string why = "closed may not be written to; name another folder";
  expect_refused("embed run --texts texts --out closed/a.npy", why);
  expect_refused("classify run --texts texts --labels names --out closed/a.csv", why);
  expect_refused(cat(kFewshot, "--csv closed/a.csv"), why);
  expect_refused(cat(kFewshot, "--save closed"), why);
  expect_refused(cat(kFewshot, "--save closed/birds/"), why);
}

// They are printed, not written.
TEST_F(OnAClosedFolder, RowsAreRead) {
  const std::string ablate = "ablate nothing.toml --results closed/rows.jsonl ";
  EXPECT_THAT(duet(ablate).output, HasSubstr("closed may not be written to"));
  EXPECT_THAT(duet(ablate + "--table").output, StartsWith("error: nothing.toml: "));
  EXPECT_THAT(duet(ablate + "--dry-run").output, StartsWith("error: nothing.toml: "));
}

}  // namespace
}  // namespace duet
