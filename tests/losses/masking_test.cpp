// What is hidden of a caption.
#include "losses/text/masking.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

constexpr std::int64_t kPieces = 40, kPadId = kPieces, kMaskId = kPieces + kMask;

// Piece 0 is <unk>; those of even number start a word. None of captions() is a replacement.
MaskVocabulary vocabulary() {
  MaskVocabulary made;
  const auto ids = at::arange(kPieces + kSpecialCount, torch::kLong);
  made.held = (ids > 0).logical_and(ids < kPieces);
  made.word_start = (ids.remainder(2) == 0).logical_or(ids >= kPieces);
  made.replacements = at::arange(12, 20, torch::kLong);
  made.mask = kMaskId;
  return made;
}

struct Captions {
  torch::Tensor ids, valid;
};

// [CLS], words of one to three pieces, an <unk> in each second one, padding.
Captions captions(std::int64_t rows) {
  Captions made{torch::full({rows, 12}, kPadId, torch::kLong), torch::zeros({rows, 12}, torch::kBool)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::vector<std::int64_t> ids = {kPieces + kCls, 2, 4, 5, 7, 6, 9, row % 2 == 0 ? 0 : 8, 11, 10};
    made.ids[row].slice(0, 0, 10).copy_(torch::tensor(ids));
    made.valid[row].slice(0, 0, 10).fill_(true);
  }
  return made;
}

TEST(Masking, SpecialsPaddingAndUnknownPiecesStayAndAreNotPredicted) {
  torch::manual_seed(1);
  const auto [ids, valid] = captions(500);
  const auto [shown, chosen] = mask_captions(ids, valid, vocabulary(), {.share = .9});
  const auto fixed = vocabulary().held.index({ids}).logical_and(valid).logical_not();
  EXPECT_EQ(chosen.logical_and(fixed).sum().item<std::int64_t>(), 0);
  EXPECT_TRUE(torch::equal(shown.index({chosen.logical_not()}), ids.index({chosen.logical_not()})));
}

TEST(Masking, AsManyAsTheShareSaysAndAtLeastOne) {
  torch::manual_seed(2);
  const auto [ids, valid] = captions(200);
  for (const auto& [share, even, odd] : {std::tuple{.01, 1, 1}, {.3, 2, 3}, {.5, 4, 4}}) {  // of 8 and of 9
    const auto counts = mask_captions(ids, valid, vocabulary(), {.share = share}).chosen.sum(1);
    for (std::int64_t row = 0; row < 200; ++row)
      EXPECT_EQ(counts[row].item<std::int64_t>(), row % 2 == 0 ? even : odd) << share;
  }
}

TEST(Masking, EightyTenTen) {
  torch::manual_seed(3);
  const auto [ids, valid] = captions(5000);
  const auto [shown, chosen] = mask_captions(ids, valid, vocabulary(), {.share = .5});
  const double all = chosen.sum().item<double>();
  const auto share = [&](const torch::Tensor& what) {
    return what.logical_and(chosen).sum().item<double>() / all;
  };
  EXPECT_NEAR(share(shown == kMaskId), .8, .01);
  const auto other = (shown != ids).logical_and(shown != kMaskId);
  EXPECT_NEAR(share(other), .1, .01);
  const auto drawn = shown.index({other});
  EXPECT_TRUE(((drawn >= 12).logical_and(drawn < 20)).all().item<bool>());
}

TEST(Masking, WholeWordsOrNothing) {
  torch::manual_seed(4);
  const auto [ids, valid] = captions(300);
  const auto chosen = mask_captions(ids, valid, vocabulary(), {.share = .3, .whole_words = true}).chosen;
  std::set<std::vector<bool>> seen;
  for (std::int64_t row = 1; row < 300; row += 2) {  // words: 2 | 4 5 7 | 6 9 | 8 11 | 10
    std::vector<bool> words;
    for (const auto& [begin, end] : {std::pair{1, 2}, {2, 5}, {5, 7}, {7, 9}, {9, 10}}) {
      const auto word = chosen[row].slice(0, begin, end);
      EXPECT_EQ(word.all().item<bool>(), word.any().item<bool>());
      words.push_back(word.any().item<bool>());
    }
    EXPECT_EQ(std::count(words.begin(), words.end(), true), 2);
    seen.insert(words);
  }
  EXPECT_EQ(seen.size(), 10u);  // every two of five
}

TEST(Masking, CaptionsWithoutPieces) {
  const auto ids = torch::full({3, 4}, kPadId, torch::kLong);
  const auto [shown, chosen] = mask_captions(ids, torch::zeros({3, 4}, torch::kBool), vocabulary(), {});
  EXPECT_TRUE(torch::equal(shown, ids));
  EXPECT_FALSE(chosen.any().item<bool>());
}

}  // namespace
}  // namespace duet
