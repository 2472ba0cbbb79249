#include "core/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr JsonLinesKind kKind{.row = "row of a test",
                              .key = "name",
                              .again = "its test is made again",
                              .command = "duet test",
                              .version = 3};
const std::string kA = "{\"version\":3,\"name\":\"a\",\"b\":1,\"a\":2}\n";
const std::string kB = "{\"version\":3,\"name\":\"b\"}\n";

std::vector<std::string> names_in(JsonLines& lines) {
  std::vector<std::string> names;
  lines.read([&](const nlohmann::ordered_json& row, const std::string&) {
    names.push_back(row.at("name").get<std::string>());
  });
  return names;
}

Failure refusal_of(const std::string& content) {
  const TemporaryFolder folder;
  write_file(folder / "x.jsonl", content);
  JsonLines lines(folder / "x.jsonl", kKind);
  return failure_of([&] { names_in(lines); });
}

TEST(JsonLines, ARowIsOnTheDiskAtOnceInItsOrderAndReadAgain) {
  const TemporaryFolder folder;
  JsonLines lines(folder / "x.jsonl", kKind);
  EXPECT_THAT(names_in(lines), ElementsAre());
  EXPECT_FALSE(fs::exists(folder / "x.jsonl"));
  lines.append({{"name", "a"}, {"b", 1}, {"a", 2}});
  EXPECT_EQ(read_file(folder / "x.jsonl"), kA);
  lines.append({{"name", "b"}});
  EXPECT_EQ(read_file(folder / "x.jsonl"), kA + kB);
  JsonLines again(folder / "x.jsonl", kKind);
  EXPECT_THAT(names_in(again), ElementsAre("a", "b"));
  again.append({{"name", "c"}});
  EXPECT_THAT(read_file(folder / "x.jsonl"), HasSubstr(kA + kB + "{\"version\":3,\"name\":\"c\"}\n"));
}

TEST(JsonLines, WithoutAFileNothingIsKept) {
  JsonLines lines("", kKind);
  lines.append({{"name", "a"}});
  EXPECT_THAT(names_in(lines), ElementsAre());
}

TEST(JsonLines, EachRowComesWithItsPlace) {
  const TemporaryFolder folder;
  write_file(folder / "x.jsonl", kA + kB);
  std::vector<std::string> places;
  JsonLines(folder / "x.jsonl", kKind).read([&](const auto&, const std::string& place) {
    places.push_back(place);
  });
  EXPECT_THAT(places, ElementsAre((folder / "x.jsonl:1").string(), (folder / "x.jsonl:2").string()));
}

TEST(JsonLines, HalfALineIsSaidAndCutOffByTheFirstAppend) {
  const TemporaryFolder folder;
  const fs::path file = folder / "x.jsonl";
  write_file(file, kA + "{\"version\":3,\"na");
  JsonLines lines(file, kKind);
  testing::internal::CaptureStderr();
  EXPECT_THAT(names_in(lines), ElementsAre("a"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("x.jsonl:2: half a line, cut off: its test is made again"));
  EXPECT_EQ(read_file(file), kA + "{\"version\":3,\"na");  // reading changes nothing
  lines.append({{"name", "b"}});
  EXPECT_EQ(read_file(file), kA + kB);
}

// Cutting at the length that was read would take another process's row away.
TEST(JsonLines, AFileThatHasChangedIsNotWritten) {
  const TemporaryFolder folder;
  const fs::path file = folder / "x.jsonl";
  for (const std::string& before : {std::string(), kA, kA + "half"}) {
    if (before.empty()) {
      fs::remove(file);
    } else {
      write_file(file, before);
    }
    JsonLines lines(file, kKind);
    testing::internal::CaptureStderr();
    names_in(lines);
    testing::internal::GetCapturedStderr();
    write_file(file, kA + kB);
    const Failure failure = failure_of([&] { lines.append({{"name", "c"}}); });
    EXPECT_EQ(failure.exit, Exit::failed);
    EXPECT_EQ(failure.text,
              file.string() + ": has changed since it was read; is another duet test at work on it?");
    EXPECT_EQ(read_file(file), kA + kB);
  }
}

TEST(JsonLines, WhatIsNoSuchRowIsRefusedByItsPlace) {
  for (const std::string line : {"nonsense", "", "[1]", "{}", "{\"version\":3}", "{\"name\":"}) {
    const Failure failure = refusal_of(kA + line + "\n");
    EXPECT_EQ(failure.exit, Exit::artifact) << line;
    EXPECT_THAT(failure.text, HasSubstr("x.jsonl:2: this is no row of a test; put the line back as it was, or "
                                        "take it out: its test is made again"))
        << line;
  }
}

TEST(JsonLines, ARowOfAnotherVersionIsRefused) {
  const Failure failure = refusal_of(kA + "{\"version\":4,\"name\":\"b\"}\n");
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_THAT(failure.text, HasSubstr("x.jsonl:2: a row of version 4; this duet knows version 3"));
  EXPECT_THAT(refusal_of("{\"version\":\"3\",\"name\":\"b\"}\n").text, HasSubstr("a row of version \"3\""));
  EXPECT_THAT(refusal_of("{\"name\":\"b\"}\n").text, HasSubstr("x.jsonl:1: a row of version none"));
}

TEST(JsonLines, WhatTheReaderCannotTakeIsDamagedAndItsOwnRefusalsStay) {
  const Failure failure = refusal_of(kA + "{\"version\":3,\"name\":7}\n");
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_THAT(failure.text, HasSubstr("x.jsonl:2: damaged: "));
  const TemporaryFolder folder;
  write_file(folder / "x.jsonl", kA);
  JsonLines lines(folder / "x.jsonl", kKind);
  EXPECT_THAT(failure_of([&] {
                lines.read([&](const auto&, const std::string& place) { lines.refuse(place, "there twice"); });
              }).text,
              HasSubstr("x.jsonl:1: there twice; put the line back as it was, or take it out"));
}

}  // namespace
}  // namespace duet
