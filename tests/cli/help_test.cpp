#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "cli/grammar.h"
#include "core/format.h"
#include "tests/cli/command_line.h"
#include "text/unicode.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

void for_each(const CLI::App& app, const std::function<void(const CLI::App&)>& visit) {
  visit(app);
  for (const CLI::App* command : commands_of(app)) for_each(*command, visit);
}

TEST(Help, EveryCommandAndOptionIsDescribed) {
  const Grammar grammar;
  for_each(grammar.app, [](const CLI::App& app) {
    const std::string name = command_line_of(app);
    EXPECT_FALSE(app.get_description().empty()) << name;
    EXPECT_EQ(app.get_description().find('\n'), std::string::npos) << name;
    for (const CLI::Option* option : app.get_options()) {
      EXPECT_GT(option->get_description().size(), 8u) << name << " " << option->get_name();
      EXPECT_THAT(option->get_description(), Not(testing::EndsWith("."))) << name << " " << option->get_name();
      EXPECT_TRUE(option->get_expected_max() == 0 || !option->get_type_name().empty())
          << name << " " << option->get_name();
    }
    if (commands_of(app).empty()) {
      EXPECT_GE(examples_of(app).size(), 2u) << name;
      EXPECT_LE(examples_of(app).size(), 4u) << name;
    }
  });
}

TEST(Help, EveryExampleParses) {
  const Grammar grammar;
  std::size_t count = 0;
  for_each(grammar.app, [&](const CLI::App& app) {
    for (const Example& example : examples_of(app)) {
      // The part that runs duet, without what the shell does around it.
      const std::size_t begin = example.line.find("duet ");
      ASSERT_NE(begin, std::string::npos) << example.line;
      std::istringstream shell_words(example.line.substr(begin + 5));
      std::vector<std::string> words;
      std::string quoted;
      for (std::string word; shell_words >> word;) {
        if (word == "|" || word == ">" || word == "<") break;
        if (!quoted.empty() || word.front() == '"') {
          quoted += (quoted.empty() ? "" : " ") + word;
          if (quoted.back() != '"') continue;
          word = quoted.substr(1, quoted.size() - 2);
          quoted.clear();
        }
        if (word.back() == ')') word.pop_back();
        words.push_back(word);
      }
      const Parsed parsed = parse_words(words);
      EXPECT_EQ(parsed.exit_code, 0) << example.line << "\n" << parsed.err;
      ++count;
    }
  });
  EXPECT_GE(count, 20u);
}

TEST(Help, ListsCommandsInGroups) {
  const std::string help = parse_words({"--help"}).out;
  for (const char* part :
       {"Train and judge\n", "Search\n", "Data and text\n", "Shell\n", "\n  train ", "\n  tokenizer encode ",
        "\n  data check ", "\n  completion ", "-q, --quiet", "Examples\n"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
}

TEST(Help, ShowsUsageDefaultsAndExamples) {
  const std::string help = parse_words({"search", "--help"}).out;
  for (const char* part :
       {"duet search: find pictures", "duet search [QUERY...] [OPTIONS]", "-k N", "(default: 10)",
        "-b, --bundle BUNDLE", "DUET_BUNDLE", "  duet search \"a red heart\""}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_THAT(parse_words({"index", "--help"}).out, HasSubstr("duet index RUN --images PATH [OPTIONS]"));
  EXPECT_THAT(parse_words({"train", "--help"}).out, HasSubstr("--device auto|cpu|cuda"));
}

TEST(Help, FitsItsColumns) {
  const Grammar grammar;
  for_each(grammar.app, [](const CLI::App& app) {
    for (const std::size_t columns : {60, 80, 100}) {
      std::istringstream lines(help_text(app, columns, false));
      bool examples = false;
      for (std::string line; std::getline(lines, line);) {
        examples = examples || line == "Examples" || line == "Usage";  // commands are not broken
        if (line == "Options" || line == "Arguments") examples = false;
        EXPECT_TRUE(examples || display_width(line) <= columns) << line;
        EXPECT_FALSE(line.ends_with(' ')) << "'" << line << "'";
      }
    }
  });
}

TEST(Help, BoldOnlyWhenAsked) {
  const Grammar grammar;
  EXPECT_THAT(help_text(grammar.app, 80, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(help_text(grammar.app, 80, true), HasSubstr("\x1b[1mUsage\x1b[0m"));
}

}  // namespace
}  // namespace duet
