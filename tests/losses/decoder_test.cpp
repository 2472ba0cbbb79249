// Who sees whom in the decoder, and which rows of ids and which negatives its objectives are made of.
#include "losses/decoder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "losses/paired/negatives.h"
#include "losses/text/pieces.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kPadId;

constexpr DecoderShape kShape{.width = 8, .memory_width = 6, .length = 7};

Decoder decoder() { return {Init(1) / "decoder", {.layers = 2, .heads = 2}, kShape}; }

struct Sequences {
  torch::Tensor tokens, valid, memory, memory_valid;
};

// The second row has four tokens, and two of memory.
Sequences sequences() {
  torch::manual_seed(1);
  Sequences made{at::randn({2, 6, 8}), torch::ones({2, 6}, torch::kBool), at::randn({2, 5, 6}),
                 torch::ones({2, 5}, torch::kBool)};
  made.valid[1].slice(0, 4).fill_(false);
  made.memory_valid[1].slice(0, 2).fill_(false);
  return made;
}

torch::Tensor seen(const Sequences& s, bool causal) {
  return decoder().forward(s.tokens, s.valid, causal, s.memory, s.memory_valid);
}

torch::Tensor ids_of(const std::vector<std::int64_t>& ids) { return torch::tensor(ids, torch::kLong); }

double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Decoder, LaterTokensChangeNoEarlierOnes) {
  Sequences s = sequences();
  const auto before = seen(s, true), both_ways = seen(s, false);
  s.tokens = s.tokens.clone();
  s.tokens.select(1, 3) += at::arange(8, torch::kFloat);  // the same on all would be lost in a layer norm
  const auto after = seen(s, true);
  EXPECT_EQ(distance(before.slice(1, 0, 3), after.slice(1, 0, 3)), 0);
  EXPECT_GT(distance(before.select(1, 4)[0], after.select(1, 4)[0]), 1e-3);
  EXPECT_GT(distance(both_ways.slice(1, 0, 3), seen(s, false).slice(1, 0, 3)), 1e-3);
}

TEST(Decoder, PaddingIsNotSeen) {
  Sequences s = sequences();
  for (const bool causal : {false, true}) {
    const auto before = seen(s, causal);
    Sequences other = s;
    other.tokens = s.tokens.masked_fill(s.valid.logical_not().unsqueeze(2), 3);
    other.memory = s.memory.masked_fill(s.memory_valid.logical_not().unsqueeze(2), 3);
    const auto after = seen(other, causal);
    EXPECT_EQ(distance(before.index({s.valid}), after.index({s.valid})), 0);
  }
}

TEST(Decoder, EveryTokenSeesTheMemoryOfItsRow) {
  const Sequences s = sequences();
  const auto before = seen(s, true);
  Sequences other = s;
  other.memory = s.memory.clone();
  other.memory[0][4] += at::arange(6, torch::kFloat);
  const auto after = seen(other, true);
  EXPECT_GT((before[0] - after[0]).abs().amax(1).min().item<double>(), 1e-4);
  EXPECT_EQ(distance(before[1], after[1]), 0);
}

TEST(Decoder, KnowsWhereATokenStands) {
  const Sequences s = sequences();
  const auto same = s.tokens.slice(1, 0, 1).expand({2, 6, 8});
  const auto out = decoder().forward(same, {}, false, s.memory);
  EXPECT_GT(distance(out.select(1, 0), out.select(1, 1)), 1e-4);
}

TEST(Decoder, RefusesHeadsThatDoNotDivideTheWidth) {
  Config recipe = Config::parse("decoder_layers = 3\ndecoder_heads = 3\n", "r.toml");
  EXPECT_EQ(read_decoder(recipe, 9).layers, 3);
  try {
    read_decoder(recipe, 8);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("r.toml:2"), HasSubstr("width of 8"), HasSubstr("3 heads"),
                                    HasSubstr("set decoder_heads")));
  }
}

TEST(Negatives, AreDrawnByTheirSoftmaxAndNeverFromThePositives) {
  torch::manual_seed(2);
  const std::int64_t draws = 4000;
  const auto alike = torch::tensor({5.0F, 0.0F, 1.0F, 2.0F}).expand({draws, 4});
  const auto positives = torch::tensor({true, false, true, false}).expand({draws, 4});
  const auto [rows, columns] = draw_negatives(alike, positives);
  EXPECT_TRUE(torch::equal(rows, at::arange(draws, torch::kLong)));
  EXPECT_FALSE((columns == 0).logical_or(columns == 2).any().item<bool>());
  EXPECT_NEAR((columns == 3).to(torch::kDouble).mean().item<double>(), 1 / (1 + std::exp(-2)), .02);
}

TEST(Negatives, OnlyOfRowsThatHaveOne) {
  const auto positives = torch::tensor({true, true, true, false, true, true}).view({3, 2});
  const auto [rows, columns] = draw_negatives(torch::zeros({3, 2}), positives);
  EXPECT_TRUE(torch::equal(rows, torch::tensor({1}, torch::kLong)));
  EXPECT_TRUE(torch::equal(columns, torch::tensor({1}, torch::kLong)));
  EXPECT_EQ(draw_negatives(torch::zeros({2, 2}), torch::ones({2, 2}, torch::kBool)).rows.numel(), 0);
}

TEST(Pieces, AreKeptInOrderAndPadded) {
  const auto model = testing::tiny_model();
  const std::int64_t bos = kPadId + kBos, eos = kPadId + kEos;
  const auto ids = ids_of({bos, 4, 2, 9, eos, bos, 7, eos, kPadId, kPadId}).view({2, 5});
  const auto piece = is_piece(*model->text, ids, ids != kPadId);
  const IdRows rows = kept_rows(*model->text, ids, piece);
  EXPECT_TRUE(torch::equal(rows.ids, ids_of({4, 2, 9, 7, kPadId, kPadId}).view({2, 3})));
  EXPECT_TRUE(torch::equal(rows.valid, rows.ids != kPadId));
  const auto backwards = -at::arange(5, torch::kFloat).expand({2, 5});
  EXPECT_TRUE(torch::equal(kept_rows(*model->text, ids, piece, backwards).ids[0], ids_of({9, 2, 4})));
  const IdRows none = kept_rows(*model->text, ids, torch::zeros_like(piece));
  EXPECT_TRUE(torch::equal(none.ids, torch::full({2, 1}, kPadId, torch::kLong)));
  EXPECT_FALSE(none.valid.any().item<bool>());
}

TEST(Pieces, FillTheContextOfATowerThatReadsPadding) {
  const auto read = [](const std::string& text) {
    Config recipe = Config::parse(
        "[text]\nwidth = 8\nheads = 2\nlayers = 1\ncontext = 6\ncausal = false\n" + text, "m.toml");
    const Model model(read_model(recipe), testing::kVocabulary, 1);
    return as_read(model, {torch::full({2, 3}, 4, torch::kLong), torch::ones({2, 3}, torch::kBool)});
  };
  EXPECT_EQ(read("").ids.size(1), 3);
  const IdRows whole = read("attend_to_padding = true\n");
  EXPECT_TRUE((whole.ids.slice(1, 3) == kPadId).all().item<bool>());
  EXPECT_TRUE(torch::equal(whole.valid.sum(1), torch::full({2}, 3, torch::kLong)));
  EXPECT_EQ(whole.ids.size(1), 6);
}

}  // namespace
}  // namespace duet
