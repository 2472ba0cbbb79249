#include "encoders/text_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "towers.h"

namespace duet {
namespace {

constexpr std::int64_t kVocabulary = 20;

struct Case {
  std::string name, toml;
  bool causal = false;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class EveryTextEncoder : public testing::TestWithParam<Case> {
 protected:
  TextEncoderSpec spec_ = text_spec(GetParam().toml);
  std::shared_ptr<TextEncoder> tower_ = text_tower(GetParam().toml, kVocabulary);
  torch::Tensor ids_ = torch::tensor({{3, 4, 5, 6, 7}, {8, 9, 10, 0, 0}, {11, 0, 0, 0, 0}});
  torch::Tensor valid_ = valid_of({5, 3, 1}, 5);
  void SetUp() override { randomise(*tower_); }
};

TEST_P(EveryTextEncoder, HasItsShapesAndLearnsEverywhere) {
  const auto tokens = tower_->embed(ids_);
  ASSERT_EQ(tokens.dim(), 3);
  EXPECT_EQ(tower_->encode(tokens, valid_, tower_->causal_by_default()).sizes(), tokens.sizes());
  const auto pooled = tower_->forward(ids_, valid_);
  EXPECT_EQ(pooled.sizes(), (std::vector<std::int64_t>{3, tower_->width()}));
  EXPECT_EQ(tower_->token_table().size(0), kVocabulary);
  at::mul(pooled, at::randn_like(pooled)).sum().backward();
  EXPECT_EQ(parameters_without_gradient(*tower_), 0);
}

TEST_P(EveryTextEncoder, TheRecipeKnowsItBeforeItIsMade) {
  EXPECT_EQ(spec_.width, tower_->width());
  EXPECT_EQ(spec_.width, tower_->token_table().size(1));
  EXPECT_EQ(spec_.causal, tower_->causal_by_default());
  const auto state = state_of(*tower_);
  EXPECT_EQ(spec_.segments, state.contains("segments") ? state.at("segments").size(0) : 0);
}

TEST_P(EveryTextEncoder, MorePaddingChangesNothing) {
  const auto longer = at::constant_pad_nd(ids_, {0, 3}, 2);
  EXPECT_LT(distance(tower_->forward(longer, valid_of({5, 3, 1}, 8)), tower_->forward(ids_, valid_)), 1e-5);
  const auto other = at::where(valid_, ids_, at::full_like(ids_, 13));  // nor does what padding holds
  EXPECT_LT(distance(tower_->forward(other, valid_), tower_->forward(ids_, valid_)), 1e-5);
}

TEST_P(EveryTextEncoder, ForwardIsTheThreeCalls) {
  const auto tokens = tower_->encode(tower_->embed(ids_), valid_, tower_->causal_by_default());
  EXPECT_LT(distance(tower_->forward(ids_, valid_), tower_->pool(tokens, valid_)), 1e-5);
}

TEST_P(EveryTextEncoder, AnEmptyCaptionStaysFinite) {
  EXPECT_TRUE(tower_->forward(ids_, valid_of({5, 0, 1}, 5)).isfinite().all().item<bool>());
}

TEST_P(EveryTextEncoder, DirectionIsWhatWasAskedFor) {
  auto changed = ids_.clone();
  changed.select(1, 3).fill_(15);
  const auto all = valid_of({5, 5, 5}, 5);
  for (const bool causal : {false, true}) {
    const auto before = tower_->encode(tower_->embed(ids_), all, causal);
    const auto after = tower_->encode(tower_->embed(changed), all, causal);
    const double earlier = distance(before.narrow(1, 0, 3), after.narrow(1, 0, 3));
    if (causal || !spec_.mixes_tokens) {
      EXPECT_LT(earlier, 1e-6);
    } else {
      EXPECT_GT(earlier, 1e-3);
    }
  }
  EXPECT_EQ(tower_->causal_by_default(), GetParam().causal);
}

TEST_P(EveryTextEncoder, RowsOfUnseenPiecesStartAtZero) {
  const auto before = tower_->token_table().detach().clone();
  auto seen = at::ones({kVocabulary}, torch::kBool);
  seen[4] = false;
  seen[kVocabulary - 1] = false;  // a special id: keeps its row
  tower_->set_seen(seen);
  const auto after = tower_->token_table();
  EXPECT_EQ(after[4].abs().sum().item<double>(), 0);
  EXPECT_EQ(distance(after[5], before[5]), 0);
  EXPECT_EQ(distance(after[kVocabulary - 1], before[kVocabulary - 1]), 0);
  EXPECT_TRUE(after.requires_grad());
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryTextEncoder,
    testing::Values(Case{"clip", "width = 16\nheads = 2\nlayers = 2\ncontext = 8\n", true},
                    Case{"mean", "width = 16\nheads = 2\nlayers = 2\ncontext = 8\ncausal = false\n"},
                    Case{"cls",
                         "width = 16\nheads = 4\nlayers = 2\ncontext = 8\ncausal = false\npool = \"cls\"\n"},
                    Case{"bag", "kind = \"bag_of_tokens\"\nwidth = 16\n"},
                    Case{"idf_bag", "kind = \"bag_of_tokens\"\nwidth = 16\nidf = true\n"}),
    [](const auto& test) { return test.param.name; });

TEST(Transformer, IsPyTorchs) {
  auto expected = golden("transformer");
  for (const std::string pool : {"eot", "mean", "cls"}) {
    const auto tower =
        text_tower("width = 8\nheads = 2\nlayers = 1\ncontext = 6\ncausal = false\npool = \"" + pool + "\"\n",
                   kVocabulary);
    load_golden_weights(*tower, "transformer");
    for (const bool causal : {false, true}) {
      const auto tokens = tower->encode(tower->embed(expected.at("ids")), expected.at("valid"), causal);
      EXPECT_LT(distance(tower->pool(tokens, expected.at("valid")),
                         expected.at((causal ? "causal_" : "bidirectional_") + pool)),
                2e-5)
          << pool << causal;
    }
  }
}

TEST(Transformer,
     TinyHasOpenClipsSize) {  // context 32, vocabulary 4,096, width 192, 4 layers, without the projection
  std::int64_t count = 0;
  for (const auto& parameter : text_tower("", 4096)->parameters()) count += parameter.numel();
  const std::int64_t width = 192, block = 12 * width * width + 13 * width;
  EXPECT_EQ(count, (4096 + 32) * width + 4 * block + 2 * width);
}

TEST(Transformer, AttendsToPaddingWhenToldTo) {
  const auto tower =
      text_tower("width = 8\nheads = 2\nlayers = 1\ncausal = false\nattend_to_padding = true\n", kVocabulary);
  randomise(*tower);
  const auto ids = torch::tensor({{3, 4, 0}}), other = torch::tensor({{3, 4, 9}}), valid = valid_of({2}, 3);
  EXPECT_GT(distance(tower->forward(ids, valid), tower->forward(other, valid)), 1e-4);
  Config config = Config::parse("causal = false\nattend_to_padding = true\n", "test.toml");
  EXPECT_TRUE(read_text_encoder(config).pad_to_context);
}

TEST(Transformer, SegmentsAreAdded) {
  const auto tower = text_tower("width = 8\nheads = 2\nlayers = 1\nsegments = 2\n", kVocabulary);
  const auto ids = torch::tensor({{3, 4}}), segments = torch::tensor({{0, 1}});
  const auto table = state_of(*tower).at("segments");
  EXPECT_LT(distance(tower->embed(ids, segments) - tower->embed(ids), table.unsqueeze(0)), 1e-6);
}

TEST(Transformer, DropoutActsInTrainingOnly) {
  const auto tower = text_tower("width = 8\nheads = 2\nlayers = 1\ndropout = 0.5\n", kVocabulary);
  randomise(*tower);
  const auto ids = torch::tensor({{3, 4}}), valid = valid_of({2}, 2);
  const auto run = [&](std::uint64_t seed) {
    torch::manual_seed(seed);
    return tower->forward(ids, valid);
  };
  EXPECT_GT(distance(run(1), run(2)), 1e-3);
  EXPECT_EQ(distance(run(1), run(1)), 0);
  tower->eval();
  EXPECT_EQ(distance(run(1), run(2)), 0);
}

TEST(Transformer, FormatFollowsThePooling) {
  const auto format = [](std::string_view toml) {
    Config config = Config::parse(toml, "test.toml");
    return read_text_encoder(config).format;
  };
  EXPECT_TRUE(format("").bos && format("").eos && !format("").cls);
  EXPECT_TRUE(format("causal = false\npool = \"cls\"\n").cls);
  const TextFormat mean = format("causal = false\ncontext = 16\n");
  EXPECT_FALSE(mean.bos || mean.eos || mean.cls);
  EXPECT_EQ(mean.context, 16);
}

TEST(BagOfTokens, IsTheNormalisedMean) {
  auto expected = golden("bag");
  const auto valid = at::arange(4).unsqueeze(0) < expected.at("lengths").unsqueeze(1);
  const auto plain = text_tower("kind = \"bag_of_tokens\"\nwidth = 8\n", kVocabulary);
  load_golden_weights(*plain, "bag");
  EXPECT_LT(distance(plain->forward(expected.at("ids"), valid), expected.at("mean")), 1e-5);
  const auto weighted = text_tower("kind = \"bag_of_tokens\"\nwidth = 8\nidf = true\n", kVocabulary);
  torch::NoGradGuard no_grad;
  for (const auto& [name, value] : golden("bag/weights")) state_of(*weighted).at(name).copy_(value);
  weighted->set_idf(expected.at("idf"));
  EXPECT_LT(distance(weighted->forward(expected.at("ids"), valid), expected.at("weighted")), 1e-4);
}

TEST(TextOptions, NameWhatIsWrong) {
  const auto message_of = [](const std::string& toml) -> std::string {
    try {
      text_tower(toml, kVocabulary);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message_of("kind = \"transfomer\"\n"), testing::HasSubstr("transformer"));
  EXPECT_THAT(message_of("width = 100\nheads = 3\n"), testing::HasSubstr("test.toml:2"));
  EXPECT_THAT(message_of("pool = \"cls\"\n"), testing::HasSubstr("causal = false"));
  EXPECT_THAT(message_of("attend_to_padding = true\n"), testing::HasSubstr("causal = false"));
}

}  // namespace
}  // namespace duet
