#include "training/ablation_process.h"

#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

// Three hundred million bytes held at once, by a program that is small itself.
TEST(AblationProcess, TellsTheMostMemoryThatAProgramHeld) {
  const std::uint64_t small = run_program({"/bin/sh", "-c", "exit 0"}).peak_bytes;
  const std::uint64_t large =
      run_program({"/bin/sh", "-c", "head -c 300000000 /dev/zero | tail -n 1 > /dev/null"}).peak_bytes;
  EXPECT_GT(small, 0u);
  EXPECT_GT(large, 290'000'000u);
  EXPECT_GT(large, small);
}

TEST(AblationProcess, TellsHowAProgramEnded) {
  EXPECT_EQ(run_program({"/bin/sh", "-c", "exit 3"}).code, 3);
  EXPECT_EQ(run_program({"/bin/sh", "-c", "kill -9 $$"}).code, 128 + 9);
  EXPECT_EQ(failure_of([] { run_program({"/nowhere/program"}); }).exit, Exit::failed);
  EXPECT_EQ(shell_line({"duet", "a b", "it's", "--set", "x=[1]"}), "duet 'a b' 'it'\\''s' --set 'x=[1]'");
}

}  // namespace
}  // namespace duet
