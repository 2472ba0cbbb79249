// What is solved for and chosen after the last step: ridge spaces and weights of spaces.
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/linalg_solve.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/log.h"
#include "evaluation/retrieval.h"
#include "losses/statistics.h"
#include "run/saved_model.h"
#include "training/finish.h"

namespace duet {
namespace {

// A picture's feature is the grey of its 16 cells: what a test draws is what the spaces see.
class Cells : public ImageEncoder {
 public:
  torch::Tensor embed(const torch::Tensor& images) override {
    return at::adaptive_avg_pool2d(images, {4, 4}).mean(1).flatten(1).unsqueeze(2);
  }
  torch::Tensor encode(const torch::Tensor& tokens) override { return tokens; }
  torch::Tensor pool(const torch::Tensor& tokens) override { return tokens.squeeze(2); }
  std::int64_t width() const override { return 16; }
};

// White but for cell `row`.
Image one_dark_cell(std::int64_t row) {
  Image image = blank_image(16, 16);
  const int left = static_cast<int>(row % 4) * 4, top = static_cast<int>(row / 4) * 4;
  for (int y = top; y < top + 4; ++y) std::fill_n(image.row(y) + 3 * left, 12, std::uint8_t{0});
  return image;
}

// Sixteen pictures, a word each.
Source sixteen_cells() {
  Source source;
  const std::vector<std::string> words = {"ant",  "bear", "crow", "dog",  "elk",  "fox",  "goat", "hare",
                                          "ibis", "jay",  "kiwi", "lynx", "mole", "newt", "owl",  "pig"};
  for (const std::string& word : words) source.pairs.push_back({.image = word + ".png", .captions = {word}});
  source.draw = one_dark_cell;
  return source;
}

Recipe recipe_with(const std::string& spaces) {
  return read_recipe(Config::parse(R"(
seed = 5
[data]
train = "shapes"
[tokenizer]
kind = "bpe"
vocabulary = 320
[image]
kind = "convnet"
size = 16
widths = [8, 16]
[text]
kind = "bag_of_tokens"
context = 16
[[objective]]
kind = "info_nce"
[train]
steps = 1
)" + spaces,
                                   "test"));
}

constexpr const char* kJointAndParts = R"(
[[space]]
name = "joint"
dimension = 16
[[space]]
name = "parts"
kind = "ridge"
lambda = 0.7
)";

// An untrained model as it stands before its ridge spaces are solved for.
struct Fixture {
  Fixture(const Recipe& with, Source pairs)
      : recipe(with),
        source(std::move(pairs)),
        tokenizer(Tokenizer::train(captions_of(source), recipe.tokenizer)) {
    statistics = count_pieces(tokenizer, captions_of(source), recipe.model.text.format);
    model = std::make_shared<Model>(recipe.model, tokenizer.vocabulary(), recipe.seed);
    model->prepare_for_corpus(statistics.counts > 0, statistics.idf());
    model->eval();
  }
  EmbedSetting setting() const {
    return {.model = model.get(),
            .tokenizer = &tokenizer,
            .text_format = recipe.model.text.format,
            .preprocessing = recipe.preprocessing,
            .bad_pictures = {}};
  }
  // Of captions asked for pictures, as it would be with these weights.
  double mean_reciprocal_rank(const std::vector<double>& weights) const {
    const std::vector<double> before = model->weights();
    model->set_weights(weights);
    double sum = 0;
    const std::vector<std::int64_t> ranks = evaluate_retrieval(setting(), source).text_to_image.ranks;
    model->set_weights(before);
    for (const std::int64_t rank : ranks) sum += 1.0 / static_cast<double>(rank);
    return sum / static_cast<double>(ranks.size());
  }

  Recipe recipe;
  Source source;
  Tokenizer tokenizer;
  CorpusStatistics statistics;
  std::shared_ptr<Model> model;
};

Fixture cells_with(const std::string& spaces) {
  Recipe recipe = recipe_with(spaces);
  recipe.model.image.make = [](const Init&) { return std::make_shared<Cells>(); };
  return {recipe, sixteen_cells()};
}

class Spaces : public testing::Test {
 protected:
  void SetUp() override { set_verbosity(Verbosity::quiet); }
  void TearDown() override { set_verbosity(Verbosity::normal); }
};

// (X'X + lambda I) W = X'Y in double, with X the convnet's features of the readable pictures, each dimension
// standardised and each row of length one, and Y the unit rows of the IDF of all pieces of a picture's
// captions.
TEST_F(Spaces, RidgeIsTheClosedForm) {
  Source shapes = read_source({.data = "shapes", .shapes_count = 48});
  shapes.pairs[3].captions.push_back("another word for it");
  shapes.draw = [drawn = shapes.draw](std::int64_t row) {
    if (row == 7) throw BadImage("truncated");
    return drawn(row);
  };
  const Fixture fixture(recipe_with(kJointAndParts), shapes);
  fit_ridge_spaces(fixture.setting(), shapes);

  const auto rows = torch::cat({at::arange(7), at::arange(8, 48)});
  const auto features =
      embed_images(fixture.setting(), shapes, true).features.index_select(0, rows).to(torch::kDouble);
  const auto mean = features.mean(0), spread = features.std(0, false);
  const auto varies = spread > 1e-6;
  auto x = at::where(varies, (features - mean) / spread, at::zeros_like(features));
  x = x / x.norm(2, {1}, true);
  const auto idf = fixture.statistics.idf().to(torch::kDouble);
  auto y = at::zeros({47, fixture.tokenizer.vocabulary()}, torch::kDouble);
  for (std::int64_t i = 0; i < 47; ++i) {
    for (const std::string& caption : shapes.pairs[static_cast<std::size_t>(i < 7 ? i : i + 1)].captions) {
      for (const std::int64_t id : fixture.tokenizer.encode(caption)) y[i][id] = idf[id];
    }
  }
  y = y / y.norm(2, {1}, true);
  const auto width = x.size(1);
  const auto solved =
      at::linalg_solve(x.t().matmul(x) + 0.7 * at::eye(width, x.options()), x.t().matmul(y));  // [F, V]

  TensorMap found = tensors_of(*fixture.model);
  const auto table = found.at("spaces.parts.table").to(torch::kDouble);
  EXPECT_GT(solved.abs().max().item<double>(), 0.05);
  EXPECT_LT((table.t() - solved).abs().max().item<double>(), 1e-6);
  EXPECT_LT((found.at("spaces.parts.mean") - mean).abs().max().item<double>(), 1e-6);
  const auto ratio = found.at("spaces.parts.std").to(torch::kDouble) / spread;
  EXPECT_LT((ratio.masked_select(varies) - 1).abs().max().item<double>(), 1e-5);
}

TEST_F(Spaces, RidgeFindsWhatItWasSolvedFor) {
  const Fixture fixture = cells_with(kJointAndParts);
  fit_ridge_spaces(fixture.setting(), fixture.source);
  fixture.model->set_weights({0, 1});
  const RetrievalResult result = evaluate_retrieval(fixture.setting(), fixture.source);
  EXPECT_EQ(result.text_to_image.ranks, std::vector<std::int64_t>(16, 1));
  EXPECT_EQ(result.image_to_text.ranks, std::vector<std::int64_t>(16, 1));
  // Two words ask for two pictures, before all others.
  const auto scores = embed_texts(fixture.setting(), {"fox kiwi"})
                          .matmul(embed_images(fixture.setting(), fixture.source).rows.t())[0];
  const auto best = std::get<0>(std::get<1>(scores.topk(2)).sort());
  EXPECT_EQ(best[0].item<std::int64_t>(), 5);
  EXPECT_EQ(best[1].item<std::int64_t>(), 10);
}

TEST_F(Spaces, FitLeavesModelsWithoutARidgeAlone) {
  const Fixture fixture = cells_with("[[space]]\nname = \"joint\"\ndimension = 16\n");
  TensorMap before;
  for (const auto& [name, tensor] : tensors_of(*fixture.model)) before[name] = tensor.clone();
  fit_ridge_spaces(fixture.setting(), fixture.source);
  for (const auto& [name, tensor] : tensors_of(*fixture.model))
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
}

// The untrained joint space is noise.
class Weights : public Spaces {
 protected:
  static Fixture fitted(const std::string& joint, const std::string& parts) {
    Fixture fixture = cells_with("[[space]]\nname = \"joint\"\ndimension = 16\nweight = " + joint +
                                 "\n[[space]]\nname = \"parts\"\nkind = \"ridge\"\nweight = " + parts + "\n");
    fit_ridge_spaces(fixture.setting(), fixture.source);
    return fixture;
  }
  static std::vector<double> chosen(const Fixture& fixture) {
    choose_weights(fixture.setting(), {fixture.source, fixture.source});  // 32 queries
    return fixture.model->weights();
  }
};

TEST_F(Weights, NoiseIsLeftOut) {
  const Fixture fixture = fitted("\"auto\"", "0.25");
  EXPECT_LT(fixture.mean_reciprocal_rank({1, 0.25}), 0.8);
  EXPECT_EQ(chosen(fixture), (std::vector<double>{0, 0.25}));
  EXPECT_EQ(fixture.mean_reciprocal_rank(fixture.model->weights()), 1);
}

// Beside noise of a fixed weight the good space gets the weight of the grid that ranks best, if it ranks better
// than 1 does by more than chance; the smallest of equals.
TEST_F(Weights, BestOfTheGridBesideAFixedOne) {
  const Fixture fixture = fitted("2", "\"auto\"");
  const double at_one = fixture.mean_reciprocal_rank({2, 1}), noise = 0.1 / std::sqrt(32.0);
  double best = at_one, best_weight = 1;
  for (const double weight : {0.0, 0.25, 0.5, 1.5, 2.0, 3.0, 5.0}) {
    const double score = fixture.mean_reciprocal_rank({2, weight});
    if (score > best && score > at_one + noise) best = score, best_weight = weight;
  }
  EXPECT_EQ(chosen(fixture), (std::vector<double>{2, best_weight}));
  EXPECT_GT(best_weight, 1);
  EXPECT_GT(best, fixture.mean_reciprocal_rank({2, 0}) + 0.3);
}

// Alone, a space ranks alike with every weight.
TEST_F(Weights, OneStaysWhereNothingIsBetter) {
  EXPECT_EQ(chosen(fitted("0", "\"auto\"")), (std::vector<double>{0, 1}));
}

TEST_F(Weights, OneStaysWhereQueriesAreFew) {
  const Fixture fixture = fitted("\"auto\"", "0.25");
  choose_weights(fixture.setting(), {fixture.source});
  EXPECT_EQ(fixture.model->weights(), (std::vector<double>{1, 0.25}));
}

TEST_F(Weights, SomeSpaceAlwaysCounts) {
  const std::vector<double> weights = chosen(fitted("\"auto\"", "\"auto\""));
  EXPECT_GT(weights[0] + weights[1], 0);
  EXPECT_GT(weights[1], 0);
}

TEST_F(Weights, FixedOnesAndThoseWithoutValidationDataStay) {
  EXPECT_EQ(chosen(fitted("3", "0.25")), (std::vector<double>{3, 0.25}));
  const Fixture fixture = fitted("\"auto\"", "0.25");
  choose_weights(fixture.setting(), {});
  EXPECT_EQ(fixture.model->weights(), (std::vector<double>{1, 0.25}));
}

}  // namespace
}  // namespace duet
