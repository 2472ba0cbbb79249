#include "losses/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace duet {
namespace {

const std::vector<std::string> kCaptions = {"red heart", "red red flag", "blue heart",
                                            "green flag of a country", "red"};

Tokenizer small_tokenizer() {
  TokenizerOptions options;
  options.vocabulary = 300;
  return Tokenizer::train(kCaptions, options);
}

TEST(CorpusStatistics, IdfFollowsTheFormula) {
  CorpusStatistics statistics;
  statistics.captions = 9;
  statistics.document_frequency = torch::tensor(std::vector<std::int64_t>{4, 0, 9});
  const auto idf = statistics.idf();
  EXPECT_NEAR(idf[0].item<double>(), std::log(10.0 / 4), 1e-6);
  EXPECT_EQ(idf[1].item<double>(), 0);
  EXPECT_NEAR(idf[2].item<double>(), std::log(10.0 / 9), 1e-6);  // every caption holds it
}

TEST(CountPieces, CountsOccurrencesAndHolders) {
  const auto tokenizer = small_tokenizer();
  const auto statistics = count_pieces(tokenizer, kCaptions, {.context = 64, .bos = true, .eos = true});
  EXPECT_EQ(statistics.captions, 5);
  ASSERT_EQ(statistics.counts.size(0), tokenizer.vocabulary());
  std::int64_t pieces = 0;
  for (const auto& caption : kCaptions) pieces += static_cast<std::int64_t>(tokenizer.encode(caption).size());
  EXPECT_EQ(statistics.counts.sum().item<std::int64_t>(), pieces);
  for (std::int64_t id = 0; id < tokenizer.vocabulary(); ++id) {
    std::int64_t occurrences = 0, holders = 0;
    for (const auto& caption : kCaptions) {
      const auto ids = tokenizer.encode(caption);
      const auto here = std::count(ids.begin(), ids.end(), id);
      occurrences += here;
      holders += here > 0;
    }
    EXPECT_EQ(statistics.counts[id].item<std::int64_t>(), occurrences) << tokenizer.piece(id);
    EXPECT_EQ(statistics.document_frequency[id].item<std::int64_t>(), holders) << tokenizer.piece(id);
  }
}

TEST(CountPieces, SpecialsAndWhatIsCutOffAreNotCounted) {
  const auto tokenizer = small_tokenizer();
  const auto cut = count_pieces(tokenizer, kCaptions, {.context = 3, .bos = true, .eos = true});
  EXPECT_EQ(cut.counts.sum().item<std::int64_t>(), 5);  // one piece a caption is left beside [BOS] and [EOS]
  const auto specials = cut.idf().slice(0, tokenizer.pieces());
  EXPECT_EQ(specials.abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace duet
