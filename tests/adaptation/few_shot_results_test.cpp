#include "adaptation/few_shot_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(FewShotResults, AnswersArePackedWithoutLoss) {
  for (const char* bits : {"", "1", "01101", "0000000011111111", "100000001"})
    EXPECT_EQ(unpacked(packed(bits), std::string(bits).size(), "x"), bits);
  EXPECT_EQ(packed("01101"), "68");
  EXPECT_EQ(failure_of([] { unpacked("68", 9, "x"); }).exit, Exit::artifact);
  EXPECT_EQ(failure_of([] { unpacked("6x", 5, "x"); }).exit, Exit::artifact);
}

TEST(FewShotResults, DamagedLinesAreNamed) {
  const TemporaryFolder folder;
  const fs::path file = folder / "rows.jsonl";
  const auto refused = [&](const std::string& text) {
    write_file(file, text);
    return failure_of([&] { FewShotResults results(file); });
  };
  {
    FewShotResults results(file);
    results.add({.method = "means", .shots = 1, .seed = 2, .right = "01", .identity = "x"});
  }
  const std::string row = read_file(file);
  EXPECT_EQ(refused(row).exit, Exit::ok);
  EXPECT_THAT(refused(row + row).text, HasSubstr("rows.jsonl:2: means, 1 shot, seed 2: there twice"));
  EXPECT_EQ(refused("{}\n").exit, Exit::artifact);
  EXPECT_EQ(refused(row.substr(0, row.size() / 2) + "\n").exit, Exit::artifact);
  std::string changed = row;
  changed.replace(changed.find("\"items\":2"), 9, "\"items\":9");
  EXPECT_EQ(refused(changed).exit, Exit::artifact);
  EXPECT_THAT(refused(changed).text, HasSubstr("rows.jsonl:1: 'right' holds no answers of 9 items"));
  EXPECT_EQ(refused(row + "half a line").exit, Exit::ok);
}

}  // namespace
}  // namespace duet
