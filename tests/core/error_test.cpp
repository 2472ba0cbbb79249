#include "core/error.h"

#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

TEST(Fail, JoinsWhereWhatAndRemedy) {
  const Failure failure = failure_of([] { fail(Exit::data, "a.tsv:3", "has no caption", "write one"); });
  EXPECT_EQ(failure.exit, Exit::data);
  EXPECT_EQ(failure.text, "a.tsv:3: has no caption; write one");
}

TEST(Fail, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(failure_of([] { fail(Exit::usage, "", "no such command"); }).text, "no such command");
  EXPECT_EQ(failure_of([] { fail(Exit::usage, "x", "is wrong"); }).text, "x: is wrong");
  EXPECT_EQ(failure_of([] { fail(Exit::usage, "", "is wrong", "mend it"); }).text, "is wrong; mend it");
}

TEST(Fail, QuestionEndsItsSentence) {
  EXPECT_EQ(failure_of([] { fail(Exit::usage, "x", "is wrong; did you mean 'y'?", "it has y, z"); }).text,
            "x: is wrong; did you mean 'y'? it has y, z");
}

TEST(Exit, CodesAreTheDocumentedOnes) {
  EXPECT_EQ(static_cast<int>(Exit::ok), 0);
  EXPECT_EQ(static_cast<int>(Exit::failed), 1);
  EXPECT_EQ(static_cast<int>(Exit::usage), 2);
  EXPECT_EQ(static_cast<int>(Exit::data), 3);
  EXPECT_EQ(static_cast<int>(Exit::artifact), 4);
  EXPECT_EQ(static_cast<int>(Exit::interrupted), 130);
}

}  // namespace
}  // namespace duet
