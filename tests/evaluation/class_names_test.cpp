#include "evaluation/class_names.h"

#include <gmock/gmock.h>

#include <set>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Lists : public testing::Test {
 protected:
  std::string write(const std::string& content) const {
    write_file(folder_ / "list.txt", content);
    return (folder_ / "list.txt").string();
  }
  std::vector<std::string> said(const std::string& content) const {
    std::vector<std::string> all;
    for (const ClassNames& one : read_class_names(write(content)))
      all.push_back(cat(one.label, "=", joined(one.names, "|")));
    return all;
  }
  Failure refused(const std::string& content) const {
    return failure_of([&] { read_class_names(write(content)); });
  }
  TemporaryFolder folder_;
};

TEST_F(Lists, AClassALineWithItsNamesBehindTabs) {
  EXPECT_THAT(said("red\nblue\n"), ElementsAre("red=red", "blue=blue"));
  EXPECT_THAT(said("cat\ttabby cat\tkitten\r\n dog \r\n\n\n"), ElementsAre("cat=tabby cat|kitten", "dog=dog"));
  EXPECT_THAT(said("face-smiling\nsky_weather\n-\nt-shirt\tt-shirt"),
              ElementsAre("face-smiling=face smiling", "sky_weather=sky weather", "-=-", "t-shirt=t-shirt"));
  EXPECT_THAT(said("\xEF\xBB\xBF"
                   "猫\n犬\n"),
              ElementsAre("猫=猫", "犬=犬"));
  EXPECT_THAT(said("e\u0301te\u0301\tcafe\u0301\nx\n"), ElementsAre("\u00e9t\u00e9=caf\u00e9", "x=x"));
}

TEST_F(Lists, WhatIsWrongWithClassesIsSaidWithItsLine) {
  const auto expect = [&](const std::string& content, const std::string& place, const std::string& what) {
    const Failure failure = refused(content);
    EXPECT_EQ(failure.exit, Exit::data) << content;
    EXPECT_THAT(failure.text, AllOf(HasSubstr("list.txt" + place), HasSubstr(what))) << content;
  };
  expect("red\n\nblue\n", ":2: ", "an empty class name");
  expect("red\nblue\t\n", ":2: ", "an empty class name");
  expect("red\n\tblue\n", ":2: ", "an empty class name");
  expect("red\nblue\n \t \nx\n", ":3: ", "an empty class name");
  expect("red\nblue\nred\tcrimson\n", ":3: ", "class 'red' stands in line 1 too");
  expect("red\n", ": ", "has one class only");
  expect("\n\n", ": ", "has no classes");
  expect("red\nbl\xFFue\n", ":2:3: ", "is no UTF-8");
  EXPECT_THAT(failure_of([&] { read_class_names(folder_ / "none.txt"); }).text, HasSubstr("no such file"));
}

TEST(ClassNames, OfLabelsAreTheirWords) {
  const auto names = class_names_of({"animal-bug", "flags"});
  EXPECT_EQ(names[0].label, "animal-bug");
  EXPECT_THAT(names[0].names, ElementsAre("animal bug"));
  EXPECT_THAT(names[1].names, ElementsAre("flags"));
}

TEST_F(Lists, Templates) {
  EXPECT_THAT(read_templates("simple"), ElementsAre("{}"));
  EXPECT_THAT(read_templates(write("a drawing of a {}\n\n{} and {}\r\n")),
              ElementsAre("a drawing of a {}", "{} and {}"));
  const Failure without = failure_of([&] { read_templates(write("a {}\n\na drawing of a {c}\n")); });
  EXPECT_EQ(without.exit, Exit::data);
  EXPECT_THAT(without.text, AllOf(HasSubstr("list.txt:3: "), HasSubstr("'a drawing of a {c}' has no {}")));
  EXPECT_THAT(failure_of([&] { read_templates(write("\n")); }).text, HasSubstr("has no templates"));
  const Failure misspelt = failure_of([] { read_templates("opnai"); });
  EXPECT_EQ(misspelt.exit, Exit::usage);
  EXPECT_THAT(misspelt.text, AllOf(HasSubstr("--templates"), HasSubstr("did you mean 'openai'?")));
}

TEST(Templates, OfOpenAiAreEighty) {
  const auto all = read_templates("openai");
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 80u);
  for (const std::string& text : all) {
    EXPECT_EQ(text.find("{}"), text.rfind("{}")) << text;
    EXPECT_NE(text.find("{}"), std::string::npos) << text;
  }
  EXPECT_THAT(all, testing::IsSupersetOf({"a photo of a {}.", "itap of my {}.", "a {} in a video game."}));
}

}  // namespace
}  // namespace duet
