#include "text/word_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::HasSubstr;

// Two directions: royalty and sex.
constexpr const char* kRoyals =
    "5 2\n"
    "king 2 1\n"
    "queen 2 -1\n"
    "man 0.1 1\n"
    "woman 0.1 -1\n"
    "cabbage -1 0.1\n";

std::vector<float> sum_of(const WordTable& table, const std::string& expression) {
  const std::vector<SignedWord> sum = read_sum(expression);
  std::vector<std::vector<float>> vectors;
  for (const SignedWord& term : sum) {
    const auto vector = table.at(*table.find(term.word));
    vectors.emplace_back(vector.begin(), vector.end());
  }
  return signed_sum(sum, vectors);
}

std::string nearest_to(const WordTable& table, const std::string& expression,
                       const std::vector<std::string>& without) {
  return table.nearest(sum_of(table, expression), 1, without).at(0).word;
}

TEST(WordTable, KingIsToManAsQueenIsToWoman) {
  const WordTable table = WordTable::parse(kRoyals, "royals.txt");
  EXPECT_EQ(nearest_to(table, "king - man + woman", {"king", "man", "woman"}), "queen");
  EXPECT_EQ(nearest_to(table, "queen - woman + man", {"queen", "woman", "man"}), "king");
}

TEST(WordTable, SumIsOfUnitVectors) {
  const WordTable table = WordTable::parse("2 2\nlong 30 0\nshort 0 0.1\n", "lengths.txt");
  EXPECT_EQ(sum_of(table, "long - short"), (std::vector<float>{1, -1}));
}

TEST(WordTable, NeighboursComeByFallingCosine) {
  const WordTable table = WordTable::parse("4 2\na 1 0\nfar -9 0\nhalf 3 3\ntwin 5 0\n", "four.txt");
  const auto all = table.nearest(table.at(0), 10, {"a"});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].word, "twin");
  EXPECT_NEAR(all[0].cosine, 1, 1e-9);
  EXPECT_EQ(all[1].word, "half");
  EXPECT_NEAR(all[1].cosine, std::sqrt(0.5), 1e-9);
  EXPECT_EQ(all[2].word, "far");
  EXPECT_NEAR(all[2].cosine, -1, 1e-9);
}

TEST(WordTable, ComesBackFromItsTextToTheLastBit) {
  const std::vector<float> numbers = {0.1f, -1.0f / 3, 1e-30f, 16777217.0f, -0.0f, 3.4e38f};
  WordTable table(3);
  table.add("first", {numbers.data(), 3});
  table.add("▁zweite", {numbers.data() + 3, 3});
  const WordTable again = WordTable::parse(table.text(), "again.txt");
  EXPECT_EQ(again.words(), table.words());
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(again.at(row)[i], numbers[3 * row + i]);
  }
  EXPECT_EQ(again.text(), table.text());
  EXPECT_EQ(WordTable::parse(kRoyals, "royals.txt").text(), kRoyals);
}

TEST(WordTable, SaysInWhichLineAFileIsDamaged) {
  const auto refusal = [](const std::string& text) {
    const Failure failure = failure_of([&] { WordTable::parse(text, "w.txt"); });
    EXPECT_EQ(failure.exit, Exit::artifact) << text;
    return failure.text;
  };
  EXPECT_THAT(refusal(""), HasSubstr("w.txt:1: is no COUNT DIMENSION; expected is word2vec's text format"));
  EXPECT_THAT(refusal("king 2 1\n"), HasSubstr("w.txt:1: is no COUNT DIMENSION"));
  EXPECT_THAT(refusal("1 0\nking\n"), HasSubstr("w.txt:1: is no COUNT DIMENSION"));
  EXPECT_THAT(refusal("1 99999999999\nking 1\n"), HasSubstr("w.txt:1: is no COUNT DIMENSION"));
  EXPECT_THAT(refusal("2 2\nking 2 1\nqueen 2\n"), HasSubstr("w.txt:3: has 1 numbers, not 2"));
  EXPECT_THAT(refusal("2 2\nking 2 1\nold queen 2 1\n"), HasSubstr("w.txt:3: has 3 numbers, not 2"));
  EXPECT_THAT(refusal("2 2\nking 2 1\n\n"), HasSubstr("w.txt:3: has 0 numbers, not 2"));
  EXPECT_THAT(refusal("1 2\nking 2 x1\n"), HasSubstr("w.txt:2: 'x1' is no number"));
  EXPECT_THAT(refusal("1 2\nking 2 nan\n"), HasSubstr("w.txt:2: 'nan' is no number"));
  EXPECT_THAT(refusal("2 2\nking 2 1\nking 1 2\n"), HasSubstr("w.txt:3: the word 'king' for the second time"));
  EXPECT_THAT(refusal("3 2\nking 2 1\n"), HasSubstr("w.txt: holds 1 words, and says that it holds 3"));
}

TEST(WordTable, SumsAreWordsWithSignsBetweenThem) {
  const auto sum = read_sum("  king - t-shirt +  woman ");
  ASSERT_EQ(sum.size(), 3u);
  EXPECT_EQ(sum[1].word, "t-shirt");
  EXPECT_EQ(sum[0].sign, 1);
  EXPECT_EQ(sum[1].sign, -1);
  EXPECT_EQ(sum[2].sign, 1);
  const auto refusal = [](const std::string& text) {
    const Failure failure = failure_of([&] { read_sum(text); });
    EXPECT_EQ(failure.exit, Exit::usage) << text;
    return failure.text;
  };
  EXPECT_THAT(refusal("red heart"), HasSubstr("no sign between 'red' and 'heart'"));
  EXPECT_THAT(refusal("king -"), HasSubstr("a sign without a word"));
  EXPECT_THAT(refusal("king - + man"), HasSubstr("a sign without a word"));
  EXPECT_THAT(refusal("+"), HasSubstr("a sign without a word"));
  EXPECT_THAT(refusal(" "), HasSubstr("holds no word"));
}

}  // namespace
}  // namespace duet
