// What objectives show is what they are judged by, and pictures are put together as they say.
#include "losses/shown.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "losses/objective.h"
#include "tests/losses/tiny_model.h"

namespace duet::testing {
namespace {

constexpr std::int64_t kRows = 6;

// An objective in evaluation mode, with a batch, for one look from a fixed seed.
struct Looked {
  explicit Looked(const std::string& table)
      : model(tiny_model()), objective(make_objective(table, *model)), batch(tiny_batch(kRows, 7)) {
    model->eval();
    objective->eval();
  }
  EncodedBatch encoded() {
    torch::manual_seed(5);
    return {*model, batch, Compute{}};
  }
  PictureGuess show() {
    EncodedBatch seen = encoded();
    return dynamic_cast<ShowsPictures&>(*objective).show(seen);
  }
  LossTerms terms() {
    EncodedBatch seen = encoded();
    return objective->compute(seen, {});
  }
  const torch::Tensor& pictures() const { return batch.views.at("main"); }

  torch::NoGradGuard no_grad;
  std::shared_ptr<Model> model;
  std::shared_ptr<Objective> objective;
  Batch batch;
};

std::vector<std::string> names_of(const PictureGuess& guess) {
  std::vector<std::string> names;
  for (const auto& column : guess.columns) names.push_back(column.name);
  return names;
}

double number(const PictureGuess& guess, const std::string& name) {
  for (const auto& [key, value] : guess.numbers) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

double share_right(const PictureGuess& guess) {
  return static_cast<double>(std::count(guess.right.begin(), guess.right.end(), true)) /
         static_cast<double>(guess.right.size());
}

TEST(Shown, InpaintingTellsTheHiddenPartAlone) {
  Looked looked("kind = \"inpainting\"\nmask_share = 0.3");
  const PictureGuess guess = looked.show();
  EXPECT_EQ(names_of(guess), (std::vector<std::string>{"hidden", "told", "truth"}));
  const auto hidden = guess.columns[0].pictures, told = guess.columns[1].pictures,
             truth = guess.columns[2].pictures;
  EXPECT_TRUE(at::equal(truth, looked.pictures()));
  const auto covered = (hidden != truth).any(1, true).expand_as(truth);
  EXPECT_TRUE(at::equal(told.masked_select(covered.logical_not()), truth.masked_select(covered.logical_not())));
  EXPECT_FALSE(at::equal(told, truth));
  EXPECT_NEAR(number(guess, "mean_error"), looked.terms().loss.item<double>(), 1e-6);
  EXPECT_NEAR(number(guess, "explained"), looked.terms().metrics.at(0).second.item<double>(), 1e-6);
  EXPECT_EQ(guess.words.size(), static_cast<std::size_t>(kRows));
  EXPECT_TRUE(guess.right.empty());
}

TEST(Shown, AutoencoderTellsTheWholePicture) {
  for (const std::string table :
       {"kind = \"autoencoder\"", "kind = \"autoencoder\"\nvariational = true\nbeta = 0"}) {
    Looked looked(table);
    const PictureGuess guess = looked.show();
    EXPECT_EQ(names_of(guess), (std::vector<std::string>{"told", "truth"}));
    EXPECT_TRUE(at::equal(guess.columns[1].pictures, looked.pictures()));
    EXPECT_NEAR(number(guess, "mean_error"), looked.terms().loss.item<double>(), 1e-6) << table;
  }
}

TEST(Shown, RotationShowsTurnedPicturesAndWhatIsSaidOfThem) {
  Looked looked("kind = \"rotation\"\nall_turns = false");
  const PictureGuess guess = looked.show();
  ASSERT_EQ(guess.columns.size(), 1u);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    // "90°" when right, else "90°, not 180°": the last number is the turn that was made.
    const std::string words = guess.words[at];
    EXPECT_EQ(guess.right[at], words.find("not") == std::string::npos) << words;
    const std::size_t comma = words.find("not ");
    const std::int64_t turn = std::stoll(comma == std::string::npos ? words : words.substr(comma + 4)) / 90;
    EXPECT_TRUE(at::equal(guess.columns[0].pictures[row], looked.pictures()[row].rot90(turn, {1, 2}))) << words;
  }
  EXPECT_NEAR(number(guess, "accuracy"), share_right(guess), 1e-6);
  EXPECT_NEAR(number(guess, "accuracy"), looked.terms().metrics.at(0).second.item<double>(), 1e-6);
  EXPECT_EQ(number(guess, "chance"), 0.25);
}

TEST(Shown, JigsawPutsTilesBackWhereTheAnswerSays) {
  Looked looked("kind = \"jigsaw\"\npermutations = 6\njitter = 0");
  const PictureGuess guess = looked.show();
  EXPECT_EQ(names_of(guess), (std::vector<std::string>{"shuffled", "solved", "truth"}));
  const auto truth = guess.columns[2].pictures;
  EXPECT_EQ(truth.size(2), 8);  // three cells of two pixels and two lines
  for (std::int64_t row = 0; row < 8; ++row) {
    for (std::int64_t column = 0; column < 8; ++column) {
      const auto pixel = truth.select(2, row).select(2, column);  // [N, 3]
      if (row % 3 == 2 || column % 3 == 2) {
        EXPECT_TRUE(pixel.eq(255).all().item<bool>());
      } else {
        EXPECT_TRUE(
            at::equal(pixel, looked.pictures().select(2, row - row / 3).select(2, column - column / 3)));
      }
    }
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(kRows); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    EXPECT_EQ(guess.right[i], at::equal(guess.columns[1].pictures[at], truth[at])) << i;
    EXPECT_FALSE(at::equal(guess.columns[0].pictures[at], truth[at])) << i;
    EXPECT_EQ(guess.right[i], guess.words[i] == "9 of 9 tiles") << guess.words[i];
  }
  EXPECT_NEAR(number(guess, "accuracy"), share_right(guess), 1e-6);
  EXPECT_NEAR(number(guess, "chance"), 1.0 / 6, 1e-9);
}

TEST(Shown, MasksAreFilledByPiecesThatCaptionsHold) {
  Looked looked("kind = \"masked_lm\"");
  EncodedBatch seen = looked.encoded();
  const auto fillings = dynamic_cast<FillsMasks&>(*looked.objective).fillings(seen);
  EXPECT_EQ(fillings.sizes(), (std::vector<std::int64_t>{kRows, 5, kVocabulary}));
  EXPECT_TRUE(fillings.exp().sum(2).allclose(torch::ones({kRows, 5})));
  const auto held = tiny_statistics().counts > 0;
  const auto impossible = fillings.isinf().all(0).all(0);
  EXPECT_TRUE(at::equal(impossible, held.logical_not()));
}

TEST(Shown, ContinuationsAreWhatTheLossIsOf) {
  Looked looked("kind = \"autoregressive_lm\"");
  EncodedBatch seen = looked.encoded();
  const auto logits = dynamic_cast<ContinuesTexts&>(*looked.objective).continuations(seen);
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{kRows, 5, kVocabulary}));
  const auto followed = looked.batch.valid.slice(1, 1);
  const auto loss = at::cross_entropy_loss(logits.slice(1, 0, -1).index({followed}),
                                           looked.batch.tokens.slice(1, 1).index({followed}));
  EXPECT_NEAR(loss.item<double>(), looked.terms().loss.item<double>(), 1e-5);
}

TEST(Shown, TilesAreLaidOutRowByRow) {
  const auto tiles = at::arange(4, torch::kByte).view({1, 4, 1, 1, 1}).expand({1, 4, 3, 1, 1});
  const auto picture = laid_out(tiles, 2)[0][0];
  EXPECT_TRUE(at::equal(picture, torch::tensor({{0, 255, 1}, {255, 255, 255}, {2, 255, 3}}, torch::kByte)));
}

}  // namespace
}  // namespace duet::testing
