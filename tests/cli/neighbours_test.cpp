// duet neighbours on files of word vectors, which needs no engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/front.h"
#include "core/files.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kRoyals = "5 2\nking 2 1\nqueen 2 -1\nman 0.1 1\nwoman 0.1 -1\n\u2581cabbage -1 0.1\n";
constexpr const char* kColours = "2 1\nred 1\nblue -1\n";

class Neighbours : public testing::Test {
 protected:
  void SetUp() override { write_file(run_ / "words-royals.txt", kRoyals); }
  std::string said(NeighboursOptions options) const {
    if (options.run.empty()) options.run = run_.path().string();
    testing::internal::CaptureStdout();
    const std::optional<int> code = run_neighbours_of_file(options);
    const std::string out = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, 0);
    return out;
  }
  Failure refusal(NeighboursOptions options) const {
    if (options.run.empty()) options.run = run_.path().string();
    return failure_of([&] { run_neighbours_of_file(options); });
  }

  TemporaryFolder run_;
};

TEST_F(Neighbours, AnswersTheArithmeticOfWords) {
  EXPECT_EQ(said({.query = "king - man + woman", .top = 1}).substr(2), "0.8355\tqueen\n");
  const auto json = nlohmann::json::parse(said({.query = "King", .top = 2, .json = true}));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["query"], "King");
  ASSERT_EQ(json["neighbours"].size(), 2u);
  EXPECT_EQ(json["neighbours"][0]["word"], "queen");
  EXPECT_NEAR(json["neighbours"][0]["cosine"].get<double>(), 0.6, 1e-6);
  EXPECT_EQ(json["neighbours"][1]["word"], "man");
}

TEST_F(Neighbours, PieceIsFoundByItsWord) {
  EXPECT_THAT(said({.query = "cabbage", .top = 1}), HasSubstr("0.0000\tman"));
}

TEST_F(Neighbours, TakeAFileOrAnObjectivesOwn) {
  write_file(run_ / "words-colours.txt", kColours);
  EXPECT_THAT(said({.query = "red"}), HasSubstr("-1.0000\tblue"));  // the first by name
  EXPECT_THAT(said({.query = "king", .of = "royals"}), HasSubstr("queen"));
  EXPECT_THAT(said({.run = run_ / "words-royals.txt", .query = "king"}), HasSubstr("queen"));
  const Failure unknown = refusal({.query = "king", .of = "nobles"});
  EXPECT_EQ(unknown.exit, Exit::usage);
  EXPECT_THAT(unknown.text,
              AllOf(HasSubstr("no word vectors of 'nobles'"), HasSubstr("colours, royals, tower")));
}

TEST_F(Neighbours, TextTowersTokensAreTheEngines) {
  const TemporaryFolder plain;
  EXPECT_FALSE(run_neighbours_of_file({.run = plain.path().string(), .query = "king"}));
  EXPECT_FALSE(run_neighbours_of_file({.run = run_.path().string(), .query = "king", .of = kTextTower}));
}

TEST_F(Neighbours, ExportIsTheFile) {
  const fs::path out = run_ / "copy.txt";
  EXPECT_EQ(said({.out = out}), "");
  EXPECT_EQ(read_file(out), kRoyals);
  EXPECT_EQ(said({.run = out, .query = "king"}), said({.query = "king"}));
}

TEST_F(Neighbours, UnknownWordIsToldWhatIsNear) {
  const Failure unknown = refusal({.query = "queeen"});
  EXPECT_EQ(unknown.exit, Exit::usage);
  EXPECT_THAT(unknown.text, AllOf(HasSubstr("words-royals.txt: 'queeen' is none of its 5 words"),
                                  HasSubstr("did you mean 'queen'?")));
}

TEST_F(Neighbours, DamagedFileIsNamedWithItsLine) {
  write_file(run_ / "words-royals.txt", "2 2\nking 2 1\nqueen 2\n");
  const Failure damaged = refusal({.query = "king"});
  EXPECT_EQ(damaged.exit, Exit::artifact);
  EXPECT_THAT(damaged.text, HasSubstr("words-royals.txt:3: has 1 numbers, not 2"));
}

}  // namespace
}  // namespace duet
