// captioning, denoising, image_text_matching and next_sentence against plain PyTorch
// (golden/make_decoder_objectives.py), and what must hold for the first two and for all.
#include "decoder_objectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "recorded_texts.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::computed;
using testing::golden;
using testing::golden_batch;
using ::testing::HasSubstr;
using testing::Ids;
using testing::kBosId;
using testing::kClsId;
using testing::kEosId;
using testing::kReadsTwo;
using testing::kSepId;
using testing::kVocabulary;
using testing::loss_of;
using testing::make_objective;
using testing::reader;
using testing::Recorded;
using testing::refusal;
using testing::texts;
using testing::tiny_batch;
using testing::tiny_model;

struct Case {
  std::string name, table;
  int gradients, passes;
};

class DecoderObjective : public ::testing::TestWithParam<Case> {};

TEST_P(DecoderObjective, EqualsPlainPyTorch) {
  const Case& one = GetParam();
  const auto model = one.name == "next_sentence" ? reader(kReadsTwo) : tiny_model();
  golden().set(*model, "tower/", "");
  const auto objective = make_objective(one.table, *model);
  golden().set(*objective, one.name + "/head/", "objective.");
  EncodedBatch encoded(*model, golden_batch(), {});
  const LossTerms terms = computed(*objective, encoded);
  EXPECT_NEAR(terms.loss.item<double>(), golden().at(one.name + "/loss").item<double>(), 1e-5);
  terms.loss.backward();
  // Attention to one token alone leaves its query a gradient of rounding errors.
  for (auto& parameter : objective->parameters()) {
    if (parameter.grad().abs().max().item<double>() < 1e-6) parameter.mutable_grad().reset();
  }
  EXPECT_EQ(golden().expect_gradients(*model, one.name, "") +
                golden().expect_gradients(*objective, one.name, "objective."),
            one.gradients);
  EXPECT_EQ(encoded.encoder_passes(), one.passes);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DecoderObjective,
    ::testing::Values(Case{"captioning", "kind = \"captioning\"\ndecoder_heads = 2\n", 53, 1},
                      Case{"parallel_captioning",
                           "kind = \"captioning\"\ndecoder_heads = 2\ndecoder_layers = 1\nparallel = 1\n", 33,
                           1},
                      Case{"denoising",
                           "kind = \"denoising\"\ndecoder_heads = 2\ndecoder_layers = 1\ndelete_share = 0.5\n"
                           "shuffle_distance = 2\n",
                           31, 1},
                      Case{"pooled_denoising",
                           "kind = \"denoising\"\ndecoder_heads = 2\ndecoder_layers = 1\ndelete_share = 0.5\n"
                           "shuffle_distance = 2\nmemory = \"pooled\"\n",
                           27, 1},
                      Case{"image_text_matching",
                           "kind = \"image_text_matching\"\ndecoder_heads = 2\ndecoder_layers = 1\n", 30, 2},
                      Case{"next_sentence", "kind = \"next_sentence\"\n", 21, 1}),
    [](const auto& one) { return one.param.name; });

TEST(Captioning, IsTheSameWhateverSpecialsTheTowerReads) {
  const auto model = tiny_model();
  const auto objective = make_objective("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  Batch plain = tiny_batch(2, 3);
  const auto with_texts = [&plain](const Batch& read) {
    Batch batch = plain;
    batch.tokens = read.tokens;
    batch.valid = read.valid;
    return batch;
  };
  const double expected = loss_of(*objective, *model, with_texts(texts({{4, 7, 2}, {9}}, 3)));
  for (const Batch& read : {texts({{kBosId, 4, 7, 2, kEosId}, {kBosId, 9, kEosId}}, 8),
                            texts({{kClsId, 4, 7, 2}, {kClsId, 9}}, 4), texts({{4, 7, 2}, {9}}, 16)}) {
    EXPECT_NEAR(loss_of(*objective, *model, with_texts(read)), expected, 1e-6);
  }
}

// The gradient of a class's bias is negative only where the class is a target.
TEST(Captioning, TellsNoPaddingAndNoSpecialButTheEnd) {
  const auto model = tiny_model();
  for (const std::string parallel : {"0", "1"}) {
    const auto objective =
        make_objective("kind = \"captioning\"\ndecoder_heads = 2\nparallel = " + parallel + "\n", *model);
    Batch batch = tiny_batch(3, 3);
    const Batch read =
        texts({{kBosId, 4, 7, 2, kEosId}, {kBosId, 9, kEosId}, {kClsId, 3, kSepId, 4, kSepId}}, 6);
    batch.tokens = read.tokens;
    batch.valid = read.valid;
    computed(*objective, *model, batch).loss.backward();
    const auto gradient = objective->named_parameters()["teller.head.bias"].grad();
    for (std::int64_t id = 0; id < kVocabulary; ++id) {
      const bool is_target = id == 2 || id == 3 || id == 4 || id == 7 || id == 9 || id == kEosId;
      EXPECT_EQ(gradient[id].item<double>() < 0, is_target) << id;
    }
  }
}

TEST(Captioning, EveryCopyOfAPictureTellsTheCaption) {
  const auto model = tiny_model();
  const auto objective = make_objective("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  const Batch both = tiny_batch(3, 5, 2);
  Batch first = both, second = both;
  first.views["main"] = both.views.at("main").slice(0, 0, 3);
  second.views["main"] = both.views.at("main").slice(0, 3, 6);
  EXPECT_NEAR(loss_of(*objective, *model, both),
              (loss_of(*objective, *model, first) + loss_of(*objective, *model, second)) / 2, 1e-5);
}

TEST(Captioning, ParallelIsAShareOfTheBatchesOfTrainingAlone) {
  const auto model = tiny_model();
  const std::string table = "kind = \"captioning\"\ndecoder_heads = 2\nparallel = ";
  const auto mixed = make_objective(table + "0.25\n", *model), causal = make_objective(table + "0\n", *model),
             parallel = make_objective(table + "1\n", *model);
  EncodedBatch batch(*model, tiny_batch(2, 5), {});
  const double one = computed(*causal, batch).loss.item<double>();
  const double other = computed(*parallel, batch).loss.item<double>();
  ASSERT_GT(std::abs(one - other), 1e-3);
  int at_once = 0;
  for (int step = 0; step < 200; ++step) {
    const double loss = mixed->compute(batch, {}).loss.item<double>();
    at_once += std::abs(loss - other) < 1e-6;
    EXPECT_TRUE(std::abs(loss - one) < 1e-6 || std::abs(loss - other) < 1e-6);
  }
  EXPECT_NEAR(at_once, 50, 25);
  mixed->eval();
  for (int step = 0; step < 20; ++step) EXPECT_NEAR(mixed->compute(batch, {}).loss.item<double>(), one, 1e-6);
}

TEST(Captioning, TellsACaptionThatFillsTheContext) {
  const auto model = tiny_model();  // a context of 32, no specials
  const auto objective = make_objective("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  Batch batch = tiny_batch(1, 5);
  batch.tokens = torch::full({1, 32}, 4, torch::kLong);
  batch.valid = torch::ones({1, 32}, torch::kBool);
  EXPECT_TRUE(std::isfinite(loss_of(*objective, *model, batch)));
}

TEST(Denoising, WithoutDamageTheTowerReadsTheCaption) {
  Recorded recorded({.bos = true, .eos = true});
  const auto objective =
      make_objective("kind = \"denoising\"\ndelete_share = 0\nshuffle_distance = 0\n", *recorded.model);
  const std::vector<Ids> rows = {{kBosId, 4, 7, 2, 7, kEosId}, {kBosId, 9, kEosId}, {kBosId, kEosId}};
  loss_of(*objective, *recorded.model, texts(rows, 8));
  for (std::size_t row = 0; row < rows.size(); ++row)
    EXPECT_EQ(recorded.row(static_cast<std::int64_t>(row)), rows[row]);
}

TEST(Denoising, LosesAShareOfThePiecesAndKeepsTheEnds) {
  Recorded recorded({.bos = true, .eos = true});
  const auto objective = make_objective("kind = \"denoising\"\ndelete_share = 0.4\n", *recorded.model);
  const std::vector<Ids> rows(500, Ids{kBosId, 0, 1, 2, 3, 4, 5, 6, 7, kEosId});
  loss_of(*objective, *recorded.model, texts(rows, 16));
  double kept = 0;
  bool was_moved = false;
  for (std::int64_t row = 0; row < 500; ++row) {
    Ids read = recorded.row(row);
    ASSERT_GE(read.size(), 3u);
    EXPECT_EQ(read.front(), kBosId);
    EXPECT_EQ(read.back(), kEosId);
    read = {read.begin() + 1, read.end() - 1};
    kept += static_cast<double>(read.size());
    was_moved |= !std::is_sorted(read.begin(), read.end());
    for (std::size_t i = 0; i < read.size();
         ++i) {  // of two pieces, one moves up to three places past the other
      for (std::size_t j = i + 1; j < read.size(); ++j) EXPECT_LE(read[i] - read[j], 3);
    }
    std::sort(read.begin(), read.end());
    EXPECT_EQ(std::adjacent_find(read.begin(), read.end()), read.end());
    EXPECT_TRUE(read.front() >= 0 && read.back() <= 7);
  }
  EXPECT_NEAR(kept / (500 * 8), .6, .03);
  EXPECT_TRUE(was_moved);
}

TEST(Denoising, KeepsOnePieceAtLeast) {
  Recorded recorded({.cls = true});
  const auto objective = make_objective("kind = \"denoising\"\ndelete_share = 0.95\n", *recorded.model);
  loss_of(*objective, *recorded.model, texts(std::vector<Ids>(200, Ids{kClsId, 3, 8}), 4));
  for (std::int64_t row = 0; row < 200; ++row) EXPECT_GE(recorded.row(row).size(), 2u);
}

TEST(DecoderObjectives, RefuseWhatTheModelLacks) {
  const auto model = tiny_model();  // a width of 10
  for (const std::string kind : {"captioning", "denoising", "image_text_matching"}) {
    EXPECT_THAT(refusal("kind = \"" + kind + "\"\ndecoder_heads = 4\n", *model),
                AllOf(HasSubstr("r.toml:3"), HasSubstr("width of 10"), HasSubstr("decoder_heads")));
  }
  const auto text_only = reader("");
  EXPECT_THAT(refusal("kind = \"captioning\"\n", *text_only),
              AllOf(HasSubstr("r.toml:2"), HasSubstr("[image]")));
  EXPECT_THAT(refusal("kind = \"image_text_matching\"\n", *text_only), HasSubstr("spaces need both"));
  EXPECT_THAT(refusal("kind = \"denoising\"\nmemory = \"all\"\n", *model),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("pooled")));
}

// A convnet's pooled feature is wider than the cells of its map.
TEST(DecoderObjectives, LookAtTheCellsOfAConvolutionTower) {
  Config recipe = Config::parse(
      "[image]\nkind = \"convnet\"\nstem = 8\nwidths = [8, 16]\nsize = 16\n"
      "[text]\nkind = \"bag_of_tokens\"\nwidth = 8\n",
      "m.toml");
  Model model(read_model(recipe), kVocabulary, 1);
  ASSERT_NE(model.image->width(), 16);
  Batch batch = tiny_batch(3, 5);
  batch.views["main"] = torch::randint(256, {3, 3, 16, 16}, torch::kLong).to(torch::kByte);
  for (const std::string kind : {"captioning", "image_text_matching"}) {
    const auto objective = make_objective("kind = \"" + kind + "\"\n", model);
    const double loss = loss_of(*objective, model, batch);
    EXPECT_TRUE(std::isfinite(loss) && loss > 0) << kind;
  }
}

TEST(DecoderObjectives, AskForWhatTheyRead) {
  const auto pairs = tiny_model(), two = reader(kReadsTwo);
  const auto needs_of = [](const std::string& table, const Model& model) {
    return testing::read_objective(table, model.spec()).needs;
  };
  const Needs captioning = needs_of("kind = \"captioning\"\nview = \"big\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_EQ(captioning.views, std::vector<std::string>{"big"});
  EXPECT_TRUE(captioning.tokens && captioning.texts);
  const Needs matching = needs_of("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_TRUE(matching.tokens && matching.texts);
  const Needs denoising = needs_of("kind = \"denoising\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_TRUE(denoising.mixed_tokens && denoising.edits && denoising.texts);
  const Needs next = needs_of("kind = \"next_sentence\"\n", *two);
  EXPECT_TRUE(next.mixed_tokens && next.edits && next.texts && next.follows);
}

}  // namespace
}  // namespace duet
