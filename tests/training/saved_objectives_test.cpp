// A run's objectives are brought back and show what they have learned: one that knows its texts by heart fills
// their gaps and goes on with them.
#include "training/saved_objectives.h"

#include <gmock/gmock.h>

#include <set>

#include "core/format.h"
#include "evaluation/language.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/small_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kSentences =
    "the red fox jumps high\n"
    "one blue whale swims deep\n"
    "some green frog sits still\n"
    "any yellow bird sings loud\n"
    "my black cat sleeps long\n"
    "your white dog runs fast\n";

constexpr const char* kRecipe = R"(
seed = 3
[data]
train = "TEXTS"
workers = 0
[tokenizer]
kind = "bpe"
vocabulary = 400
[text]
context = 12
width = 32
layers = 1
heads = 2
[[objective]]
kind = "masked_lm"
mask_share = 0.4
[[objective]]
kind = "autoregressive_lm"
[train]
batch = 6
steps = 400
lr = 1e-2
evaluations = 1
)";

void train(const std::vector<std::string>& sets, const fs::path& texts, const fs::path& folder) {
  std::string text = kRecipe;
  text.replace(text.find("TEXTS"), 5, texts.string());
  SmallRun run(recipe_with(sets, text.c_str()), folder);
  ASSERT_EQ(run.trainer->run(), Outcome::finished);
}

class LearnedTexts : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_file(*folder_ / "texts.txt", kSentences);
    train({}, *folder_ / "texts.txt", *folder_ / "run");
  }
  static void TearDownTestSuite() { delete folder_; }

  static inline TemporaryFolder* folder_ = nullptr;
  const SavedModel saved_ = load_saved_model(*folder_ / "run", "best", "cpu");
  SavedObjectives objectives_{saved_};
};

TEST_F(LearnedTexts, GapIsFilledWithTheWordThatStoodThere) {
  const auto able = objectives_.of<FillsMasks>("objective that fills masks");
  ASSERT_EQ(able.size(), 1u);
  EXPECT_EQ(able[0].name, "masked_lm");
  const auto masks = fill_masks(saved_, *able[0].ability, "the red [MASK] jumps high", 5);
  ASSERT_EQ(masks.size(), 1u);
  ASSERT_EQ(masks[0].size(), 5u);
  EXPECT_EQ(masks[0][0].piece, "▁fox");
  EXPECT_EQ(masks[0][0].text, "the red fox jumps high");
  EXPECT_GT(masks[0][0].probability, 0.5);
  double sum = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    sum += masks[0][i].probability;
    EXPECT_LE(masks[0][i].probability, masks[0][i > 0 ? i - 1 : 0].probability);
  }
  EXPECT_LE(sum, 1 + 1e-6);
}

TEST_F(LearnedTexts, GapsAreToldInTheirOrder) {
  const auto able = objectives_.of<FillsMasks>("objective that fills masks");
  const auto masks = fill_masks(saved_, *able[0].ability, "[MASK] black cat sleeps [MASK]", 2);
  ASSERT_EQ(masks.size(), 2u);
  EXPECT_EQ(masks[0][0].piece, "▁my");
  EXPECT_EQ(masks[1][0].piece, "▁long");
  EXPECT_EQ(masks[1][0].text, "my black cat sleeps long");
  EXPECT_THAT(masks[1][1].text, testing::StartsWith("my black cat sleeps "));
}

TEST_F(LearnedTexts, TextWithoutAGapOrTooLongIsRefused) {
  const auto able = objectives_.of<FillsMasks>("objective that fills masks");
  const auto refusal = [&](const std::string& text) {
    return failure_of([&] { fill_masks(saved_, *able[0].ability, text, 5); });
  };
  EXPECT_EQ(refusal("the red fox").exit, Exit::usage);
  EXPECT_THAT(refusal("the red fox").text, HasSubstr("holds no [MASK]"));
  EXPECT_THAT(refusal("the red fox the red fox the red fox the [MASK]").text,
              HasSubstr("more than the 12 that the tower reads"));
}

TEST_F(LearnedTexts, BeginningIsCompletedAsItWasRead) {
  const auto able = objectives_.of<ContinuesTexts>("objective that continues texts");
  for (const auto& [prompt, text] : {std::pair{"the red", "the red fox jumps high"},
                                     {"my black cat", "my black cat sleeps long"},
                                     {"any", "any yellow bird sings loud"}}) {
    const Continuation continuation = continue_text(saved_, *able[0].ability, prompt, {});
    EXPECT_EQ(continuation.text, text);
    EXPECT_TRUE(continuation.ended);
    EXPECT_EQ(continuation.added.back().piece, "[EOS]");
    for (const auto& added : continuation.added) EXPECT_GT(added.probability, 0.3) << added.piece;
  }
}

TEST_F(LearnedTexts, CompletionStopsAtItsLengthOrWhereTheTowerDoes) {
  const auto able = objectives_.of<ContinuesTexts>("objective that continues texts");
  const Continuation two = continue_text(saved_, *able[0].ability, "the", {.length = 2});
  EXPECT_EQ(two.text, "the red fox");
  EXPECT_FALSE(two.ended);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Continuation wild =
        continue_text(saved_, *able[0].ability, "the", {.length = 1000, .temperature = 50, .seed = seed});
    EXPECT_LE(wild.added.size(), 10u);  // [BOS], "the" and ten more are twelve
    for (std::size_t i = 0; i + 1 < wild.added.size(); ++i) EXPECT_NE(wild.added[i].piece.front(), '[');
  }
}

TEST_F(LearnedTexts, DrawsAreAFunctionOfTheSeed) {
  const auto able = objectives_.of<ContinuesTexts>("objective that continues texts");
  const auto drawn = [&](std::uint64_t seed, std::int64_t top_k) {
    return continue_text(saved_, *able[0].ability, "the", {.top_k = top_k, .temperature = 20, .seed = seed})
        .text;
  };
  EXPECT_EQ(drawn(1, 0), drawn(1, 0));
  std::set<std::string> texts, only;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    texts.insert(drawn(seed, 0));
    only.insert(drawn(seed, 1));
  }
  EXPECT_GT(texts.size(), 4u);
  EXPECT_EQ(only, std::set<std::string>{"the red fox jumps high"});  // among one there is no choice
}

TEST_F(LearnedTexts, CheckpointKnowsLessThanTheFinishedModel) {
  const SavedModel first = load_saved_model(*folder_ / "run", "step-0", "cpu");
  SavedObjectives early(first);
  const auto fresh = early.of<FillsMasks>("objective that fills masks");
  const auto masks = fill_masks(first, *fresh[0].ability, "the red [MASK] jumps high", 1);
  EXPECT_LT(masks[0][0].probability, 0.5);
}

TEST_F(LearnedTexts, WhatTheRunDoesNotHaveIsNamedWithWhatItHas) {
  const Failure none = failure_of([&] { objectives_.of<JudgesNext>("objective that judges what comes next"); });
  EXPECT_EQ(none.exit, Exit::usage);
  EXPECT_THAT(none.text, AllOf(HasSubstr("has no objective that judges what comes next"),
                               HasSubstr("its objectives: masked_lm, autoregressive_lm")));
  const Failure other = failure_of([&] { objectives_.of<FillsMasks>("objective that fills masks", "mlm"); });
  EXPECT_THAT(other.text, HasSubstr("called 'mlm'"));
  EXPECT_THAT(failure_of([&] { objectives_.of<FillsMasks>("x", "autoregressive_lm"); }).text,
              HasSubstr("has no x called 'autoregressive_lm'"));
}

TEST_F(LearnedTexts, ModelWithoutHeadsPointsToTheCheckpoints) {
  const TemporaryFolder other;
  save_model(other.path(), {.recipe_toml = saved_.recipe.toml,
                            .tokenizer_model = saved_.tokenizer->serialized(),
                            .tensors = {{"model", tensors_of(*saved_.model)}},
                            .facts = {{"step", 1}, {"weights", saved_.model->weights()}}});
  const SavedModel bare = load_saved_model(other.path(), "best", "cpu");
  SavedObjectives objectives(bare);
  const Failure headless = failure_of([&] { objectives.of<FillsMasks>("objective that fills masks"); });
  EXPECT_EQ(headless.exit, Exit::artifact);
  EXPECT_THAT(headless.text, AllOf(HasSubstr("keeps no heads"), HasSubstr("--checkpoint last")));
}

TEST(SavedObjectives, SentenceThatComesNextIsLikelierThanAnother) {
  const std::vector<std::pair<std::string, std::string>> documents = {
      {"the red fox", "jumps very high"},      {"one blue whale", "swims down deep"},
      {"some green frog", "sits quite still"}, {"any yellow bird", "sings out loud"},
      {"my black cat", "sleeps so long"},      {"your white dog", "runs too fast"}};
  const TemporaryFolder folder;
  std::string text;
  for (const auto& [first, second] : documents) text += cat(first, "\n", second, "\n\n");
  write_file(folder / "documents.txt", text);
  train({"objective=[{kind='next_sentence'}]", "text.causal=false", "text.segments=2", "train.batch=12", "train.lr=3e-3"},
        folder / "documents.txt", folder / "run");
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  SavedObjectives objectives(saved);
  JudgesNext& judge = *objectives.of<JudgesNext>("objective that judges what comes next").front().ability;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string& first = documents[i].first;
    EXPECT_GT(probability_of_next(saved, judge, first, documents[i].second), 0.7) << first;
    EXPECT_LT(probability_of_next(saved, judge, first, documents[(i + 1) % documents.size()].second), 0.5)
        << first;
  }
  // Many at once are judged as each is alone.
  std::vector<std::pair<std::string, std::string>> many;
  for (std::size_t i = 0; i < 70; ++i) many.emplace_back(documents[i % 6].first, documents[i % 5].second);
  const std::vector<double> all = probabilities_of_next(saved, judge, many);
  ASSERT_EQ(all.size(), many.size());
  for (const std::size_t i : {0, 3, 11, 63, 64, 69})
    EXPECT_NEAR(all[i], probability_of_next(saved, judge, many[i].first, many[i].second), 1e-4) << i;
  const Failure empty = failure_of([&] { probability_of_next(saved, judge, "the red fox", " "); });
  EXPECT_EQ(empty.exit, Exit::usage);
}

}  // namespace
}  // namespace duet
