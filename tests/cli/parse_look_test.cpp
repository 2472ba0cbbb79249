#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(Parse, Reconstruct) {
  const auto o =
      parse_to<ReconstructOptions>({"reconstruct", "runs/x", "--images", "pics", "--count", "4", "--seed", "9",
                                    "--out", "p.html", "--objective", "jigsaw", "--json"});
  EXPECT_EQ(o.run, "runs/x");
  EXPECT_EQ(o.images, "pics");
  EXPECT_EQ(o.count, 4);
  EXPECT_EQ(o.seed, 9);
  EXPECT_EQ(o.out, "p.html");
  EXPECT_EQ(o.objective, "jigsaw");
  EXPECT_TRUE(o.json);
  const auto plain = parse_to<ReconstructOptions>({"reconstruct", "runs/x", "--images", "pics"});
  EXPECT_EQ(plain.count, 16);
  EXPECT_EQ(plain.seed, 1);
  EXPECT_EQ(parse_words({"reconstruct", "runs/x"}).exit_code, 2);
}

TEST(Parse, FillAndCompleteTakeATextAsItStands) {
  const auto fill = parse_to<FillOptions>({"fill", "runs/x", "a [MASK] heart", "--top", "3"});
  EXPECT_EQ(fill.text, "a [MASK] heart");
  EXPECT_EQ(fill.top, 3);
  for (const char* text : {"[MASK]", "[MASK] red [MASK]", "a [MASK], b"})
    EXPECT_EQ(parse_to<FillOptions>({"fill", "runs/x", text}).text, text);
  EXPECT_EQ(parse_words({"fill", "runs/x"}).exit_code, 2);
  EXPECT_EQ(parse_words({"fill", "runs/x", "caf\xE9 [MASK]"}).exit_code, 2);
  const auto complete = parse_to<CompleteOptions>({"complete", "runs/x", "a red", "--length", "5"});
  EXPECT_EQ(complete.text, "a red");
  EXPECT_EQ(complete.length, 5);
  EXPECT_EQ(complete.temperature, 0);
}

TEST(Parse, TopKAloneAsksForDraws) {
  const auto with = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"complete", "runs/x", "a"});
    return parse_to<CompleteOptions>(words).temperature;
  };
  EXPECT_EQ(with({"--top-k", "5"}), 1);
  EXPECT_EQ(with({"--top-k", "5", "--temperature", "0.5"}), 0.5);
  EXPECT_EQ(with({"--temperature", "0.25"}), 0.25);
  EXPECT_EQ(parse_words({"complete", "runs/x", "a", "--temperature", "-1"}).exit_code, 2);
  EXPECT_EQ(parse_words({"complete", "runs/x", "a", "--temperature", "warm"}).exit_code, 2);
}

TEST(Parse, Follows) {
  const auto o = parse_to<FollowsOptions>({"follows", "runs/x", "It rained.", "All was wet."});
  EXPECT_EQ(o.first, "It rained.");
  EXPECT_EQ(o.second, "All was wet.");
  EXPECT_EQ(o.pairs, "");
  EXPECT_EQ(parse_words({"follows", "runs/x", "It rained."}).exit_code, 2);
  EXPECT_EQ(parse_to<FollowsOptions>({"follows", "runs/x", "--pairs", "p.tsv"}).pairs, "p.tsv");
  EXPECT_EQ(parse_words({"follows", "runs/x"}).exit_code, 2);
  EXPECT_EQ(parse_words({"follows", "runs/x", "It rained.", "All was wet.", "--pairs", "p.tsv"}).exit_code, 2);
}

TEST(Parse, NeighboursOfASum) {
  EXPECT_EQ(parse_to<NeighboursOptions>({"neighbours", "runs/x", "king", "-", "man", "+", "woman"}).query,
            "king - man + woman");
  EXPECT_EQ(parse_to<NeighboursOptions>({"neighbours", "runs/x", "king - man", "--top", "2"}).query,
            "king - man");
  EXPECT_EQ(parse_to<NeighboursOptions>({"neighbours", "runs/x", "--export", "w.txt"}).out, "w.txt");
  EXPECT_EQ(parse_words({"neighbours", "runs/x"}).exit_code, 2);
  const Parsed unsigned_words = parse_words({"neighbours", "runs/x", "red", "heart"});
  EXPECT_EQ(unsigned_words.exit_code, 2);
  EXPECT_THAT(unsigned_words.err, HasSubstr("no sign between 'red' and 'heart'"));
}

}  // namespace
}  // namespace duet
