#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/files.h"
#include "core/format.h"
#include "tests/cli/command_line.h"
#include "tests/support/shell.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::string script(const std::string& name) { return parse_words({"completion", name}).out; }

bool has(const char* program) { return shell(cat("command -v ", program)).exit_code == 0; }

// What bash offers after these words, the last of which may be begun.
std::vector<std::string> bash_offers(const TemporaryFolder& folder, const std::string& words) {
  write_file(folder / "duet.bash", script("bash"));
  const ShellResult result =
      shell(cat("cd '", folder.path().string(), "' && bash --norc -c 'source ./duet.bash; COMP_WORDS=(", words,
                "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _duet; printf \"%s\\n\" \"${COMPREPLY[@]}\"'"));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  std::vector<std::string> offers;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) offers.push_back(line);
  }
  return offers;
}

TEST(Completion, ScriptsAreSound) {
  const TemporaryFolder folder;
  for (const char* name : {"bash", "zsh", "fish"}) {
    write_file(folder / name, script(name));
    if (!has(name)) continue;  // bash is always there
    const ShellResult result = shell(cat(name, " -n '", (folder / name).string(), "'"));
    EXPECT_EQ(result.exit_code, 0) << name << "\n" << result.output;
    EXPECT_THAT(result.output, IsEmpty()) << name;
  }
}

TEST(Completion, ScriptsKnowEveryCommand) {
  for (const char* name : {"bash", "zsh", "fish"}) {
    for (const char* command :
         {"train", "evaluate", "index", "search", "embed", "classify", "check", "ablate", "fewshot", "data",
          "tokenizer", "completion", "man", "help", "encode", "decode"}) {
      EXPECT_THAT(script(name), HasSubstr(command)) << name;
    }
  }
}

TEST(Completion, UnknownShellIsAUsageError) { EXPECT_EQ(parse_words({"completion", "csh"}).exit_code, 2); }

TEST(Completion, BashOffersCommandsAndOptions) {
  const TemporaryFolder folder;
  EXPECT_THAT(bash_offers(folder, "duet s"), ElementsAre("search"));
  EXPECT_THAT(bash_offers(folder, "duet tokenizer \"\""), UnorderedElementsAre("train", "encode", "decode"));
  EXPECT_THAT(bash_offers(folder, "duet train --re"), ElementsAre("--resume"));
  EXPECT_THAT(bash_offers(folder, "duet train --device \"\""), UnorderedElementsAre("auto", "cpu", "cuda"));
  EXPECT_THAT(bash_offers(folder, "duet train --device = c"), UnorderedElementsAre("cpu", "cuda"));
  EXPECT_THAT(bash_offers(folder, "duet completion z"), ElementsAre("zsh"));
  EXPECT_THAT(bash_offers(folder, "duet search -k \"\""), IsEmpty());
  EXPECT_THAT(bash_offers(folder, "duet search train --j"), ElementsAre("--json"));
}

TEST(Completion, BashOffersFilesAndFolders) {
  const TemporaryFolder folder;
  write_file(folder / "my photos.csv", "");
  fs::create_directory(folder / "my run");
  EXPECT_THAT(bash_offers(folder, "duet train --data my"), UnorderedElementsAre("my photos.csv", "my run"));
  EXPECT_THAT(bash_offers(folder, "duet evaluate m"), ElementsAre("my run"));
  EXPECT_THAT(bash_offers(folder, "duet search -b m"), ElementsAre("my run"));
}

TEST(Completion, FishOffersTheSame) {
  if (!has("fish")) GTEST_SKIP() << "no fish here";
  const TemporaryFolder folder;
  write_file(folder / "duet.fish", script("fish"));
  const auto offers = [&](const std::string& line) {
    return shell(cat("HOME='", folder.path().string(), "' fish --no-config -c \"source '",
                     (folder / "duet.fish").string(), "'; complete -C '", line, "'\""))
        .output;
  };
  EXPECT_THAT(offers("duet s"), testing::StartsWith("search\t"));
  EXPECT_THAT(offers("duet tokenizer "), HasSubstr("encode\t"));
  EXPECT_THAT(offers("duet tokenizer "), Not(HasSubstr("search")));
  EXPECT_THAT(offers("duet train --device "), HasSubstr("cuda"));
  EXPECT_THAT(offers("duet train --res"), HasSubstr("--resume"));
}

}  // namespace
}  // namespace duet
