// What word2vec and glove draw and count in a corpus of words.
#include "losses/text/word_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "core/format.h"

namespace duet {
namespace {

using ::testing::ElementsAre;

WordCorpus corpus_of(const std::vector<std::string>& texts, std::int64_t min_count = 1,
                     std::int64_t most = 1000) {
  return read_word_corpus({.texts = [texts] { return texts; }},
                          {.words = true, .min_count = min_count, .most = most});
}

// One text of `length` different words, in order.
WordCorpus line_of(std::int32_t length) {
  WordCorpus corpus;
  corpus.ids.push_back(WordCorpus::kBetween);
  for (std::int32_t id = 0; id < length; ++id) {
    corpus.names.push_back(cat("w", id));
    corpus.counts.push_back(1);
    corpus.ids.push_back(id);
  }
  corpus.ids.push_back(WordCorpus::kBetween);
  return corpus;
}

TEST(Windows, NearWordsComeMoreOftenThanFarOnes) {
  torch::manual_seed(1);
  const WordCorpus corpus = line_of(2000);
  const Windows w = draw_windows(corpus.ids, keep_probabilities(corpus, 0), 4, 40000, false, 0);
  ASSERT_EQ(w.contexts.size(0), 40000);
  std::map<std::int64_t, double> share;
  for (std::int64_t i = 0; i < w.centres.size(0); ++i) {
    const std::int64_t end = i + 1 < w.offsets.size(0) ? w.offsets[i + 1].item<std::int64_t>() : 40000;
    for (std::int64_t k = w.offsets[i].item<std::int64_t>(); k < end; ++k)
      share[(w.contexts[k] - w.centres[i]).item<std::int64_t>()] += 1. / 40000;
  }
  ASSERT_EQ(share.size(), 8u);  // -4 .. 4 without 0
  for (const auto& [distance, value] : share)
    EXPECT_NEAR(value, static_cast<double>(5 - std::abs(distance)) / 20, .01) << distance;
}

TEST(Windows, ComeToEveryPlaceOnceBeforeAnyComesAgain) {
  for (const std::int32_t length : {2, 3, 4, 9, 100, 233, 1000}) {
    const WordCorpus corpus = line_of(length);
    const auto keep = keep_probabilities(corpus, 0);
    std::set<std::int64_t> seen;
    const auto see = [&](std::int64_t count, std::int64_t start) {
      const Windows w = draw_windows(corpus.ids, keep, 1, count, true, start);
      for (std::int64_t i = 0; i < count; ++i) seen.insert(w.centres[i].item<std::int64_t>());
      return w.next;
    };
    const std::int64_t next = see(length / 2, 5);
    see(length - length / 2, next);
    EXPECT_EQ(std::ssize(seen), length);
  }
}

TEST(Windows, EndWithTheText) {
  torch::manual_seed(2);
  const WordCorpus corpus = corpus_of({"a b c", "alone", "x y"});
  const Windows w = draw_windows(corpus.ids, keep_probabilities(corpus, 0), 9, 3000, true, 0);
  ASSERT_EQ(w.centres.size(0), 3000);
  const auto group = [&](std::int64_t id) { return corpus.names[static_cast<std::size_t>(id)] < "d" ? 0 : 1; };
  for (std::int64_t i = 0; i + 1 < 3000; ++i) {
    for (std::int64_t k = w.offsets[i].item<std::int64_t>(); k < w.offsets[i + 1].item<std::int64_t>(); ++k)
      EXPECT_EQ(group(w.contexts[k].item<std::int64_t>()), group(w.centres[i].item<std::int64_t>()));
  }
}

TEST(Windows, ReachOverDroppedWords) {
  torch::manual_seed(3);
  const WordCorpus corpus = line_of(300);
  std::vector<double> keep(300, 1);
  for (std::size_t id = 0; id < 300; id += 2) keep[id] = 0;
  const Windows w = draw_windows(corpus.ids, keep, 1, 2000, false, 7);
  EXPECT_TRUE((w.centres.remainder(2) == 1).all().item<bool>());
  EXPECT_TRUE((w.contexts.remainder(2) == 1).all().item<bool>());
  const auto ends = torch::cat({w.offsets.slice(0, 1), torch::tensor({2000}, torch::kLong)});
  const auto apart = (w.contexts - w.centres.repeat_interleave(ends - w.offsets)).abs();
  EXPECT_TRUE((apart == 2).all().item<bool>());
}

TEST(KeepProbabilities, FrequentWordsAreDroppedAsWord2vecDoes) {
  WordCorpus corpus;
  corpus.counts = {900, 90, 10, 0};
  EXPECT_THAT(keep_probabilities(corpus, 0), ElementsAre(1, 1, 1, 1));
  const auto keep = keep_probabilities(corpus, .01);
  EXPECT_NEAR(keep[0], std::sqrt(.01 / .9) + .01 / .9, 1e-12);
  EXPECT_NEAR(keep[1], std::sqrt(.01 / .09) + .01 / .09, 1e-12);
  EXPECT_EQ(keep[2], 1);
}

TEST(UnigramSampler, DrawsByCountToThreeQuarters) {
  torch::manual_seed(4);
  const auto drawn = UnigramSampler({0, 16, 0, 81, 1, 0}).draw({200, 500});
  const auto share = torch::bincount(drawn.flatten(), {}, 6).to(torch::kDouble) / 100000;
  const double all = 8 + 27 + 1;
  const double expected[] = {0, 8 / all, 0, 27 / all, 1 / all, 0};
  for (std::int64_t id = 0; id < 6; ++id)
    EXPECT_NEAR(share[id].item<double>(), expected[id], expected[id] == 0 ? 0 : .01);
}

TEST(WordCorpus, WordsAreWhatAReaderTakesForWords) {
  const WordCorpus corpus = corpus_of({"Über den Wolken, über 99 Wolken.", "Ёлка (ёлка) — 日本", "wolken"}, 2);
  EXPECT_THAT(corpus.names, ElementsAre("wolken", "über", "ёлка"));
  EXPECT_THAT(corpus.counts, ElementsAre(3, 2, 2));
  EXPECT_THAT(corpus.ids, ElementsAre(-1, 1, 0, 1, 0, -1, 2, 2, -1));
  EXPECT_THAT(corpus_of({"b b b a a c"}, 1, 2).names, ElementsAre("b", "a"));
}

TEST(Cooccurrences, CountOneByDistance) {
  const Cooccurrences near = count_neighbours(corpus_of({"a b a c", "b a"}), 2);  // a b c by falling count
  const auto table = torch::zeros({3, 3});
  table.index_put_({near.rows.to(torch::kLong), near.columns.to(torch::kLong)}, near.values);
  // a-b: 1 + 1 and 1; a-c: 1; b-c: 1/2; the two a stand two apart, counted from both.
  const auto expected = torch::tensor({{1., 3., 1.}, {3., 0., .5}, {1., .5, 0.}});
  EXPECT_TRUE(torch::allclose(table, expected)) << table;
  EXPECT_EQ(near.values.size(0), 7);
}

}  // namespace
}  // namespace duet
