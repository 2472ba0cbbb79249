#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/files.h"
#include "core/format.h"
#include "tests/cli/command_line.h"
#include "tests/support/shell.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(ManPage, HasTheSectionsOfAManual) {
  const std::string page = parse_words({"man"}).out;
  EXPECT_TRUE(page.starts_with(".TH DUET 1 "));
  for (const char* section : {"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "COMMON OPTIONS", "ENVIRONMENT",
                              "EXIT STATUS", "FILES", "EXAMPLES"}) {
    EXPECT_THAT(page, HasSubstr(cat("\n.SH ", section, "\n")));
  }
  for (const char* part :
       {".SS duet train ", ".SS duet tokenizer encode ", "\\-\\-bundle", "DUET_BUNDLE", "130, 143"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST(ManPage, IsTheSameEveryTime) { EXPECT_EQ(parse_words({"man"}).out, parse_words({"man"}).out); }

TEST(ManPage, NoTextIsTakenForACommand) {
  std::istringstream lines(parse_words({"man"}).out);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('.')) {
      EXPECT_FALSE(line.starts_with('\'')) << line;
      continue;
    }
    const std::string name = line.substr(1, line.find(' ') - 1);
    EXPECT_THAT((std::vector<std::string>{"TH", "nh", "ad", "SH", "SS", "TP", "PP", "EX", "EE", "B", "I"}),
                testing::Contains(name))
        << line;
  }
}

TEST(ManPage, GroffHasNothingToSay) {
  if (shell("command -v groff").exit_code != 0) GTEST_SKIP() << "no groff here";
  const TemporaryFolder folder;
  write_file(folder / "duet.1", parse_words({"man"}).out);
  const ShellResult result = shell(cat("groff -man -ww -Tutf8 -z '", (folder / "duet.1").string(), "'"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, IsEmpty());
}

}  // namespace
}  // namespace duet
