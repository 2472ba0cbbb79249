// The recipe picked by the size of the data: it is read, keeps to its ladder, and learns the smallest data by
// heart.
#include "training/auto_recipe.h"

#include <gtest/gtest.h>

#include "core/format.h"
#include "core/log.h"
#include "run/recipe.h"
#include "run/saved_model.h"
#include "tensors/device.h"
#include "tests/support/temporary_folder.h"
#include "training/finish.h"
#include "training/trainer.h"

namespace duet {
namespace {

// `pictures` of a caption and a content each; of concepts of `each` pictures, or of none.
Source source_of(std::int64_t pictures, std::int64_t each = 1) {
  Source source;
  source.manifest = "photos.csv";
  source.root = "/nowhere";
  for (std::int64_t i = 0; i < pictures; ++i) {
    source.pairs.push_back({.image = cat(i, ".png"),
                            .captions = {cat("caption ", i)},
                            .concept_key = each > 1 ? cat("concept ", i / each) : ""});
  }
  return source;
}

Recipe picked(const Source& source) {
  return read_recipe(Config::parse(auto_recipe(source, "photos \"mine\".csv"), "picked"));
}

TEST(AutoRecipe, KeepsToItsLadder) {
  struct Rung {
    std::int64_t pictures, batch, steps;
    double minutes, crop;
  };
  for (const Rung& rung :
       {Rung{3, 2, 300, 0, 0.5}, Rung{12, 11, 300, 0, 0.5}, Rung{30, 16, 300, 0, 0.5},
        Rung{100, 16, 562, 0, 0.5}, Rung{1'000, 64, 1406, 0, 0.5}, Rung{5'000, 256, 0, 20, 0.5},
        Rung{40'000, 256, 0, 60, 0.7}, Rung{250'000, 256, 0, 240, 0.9}}) {
    const Recipe recipe = picked(source_of(rung.pictures));
    EXPECT_EQ(recipe.train.batch, rung.batch) << rung.pictures;
    EXPECT_EQ(recipe.train.steps, rung.steps) << rung.pictures;
    EXPECT_EQ(recipe.train.minutes, rung.minutes) << rung.pictures;
    EXPECT_EQ(recipe.views[0].augmentation.crop_low, rung.crop) << rung.pictures;
    EXPECT_EQ(recipe.views[0].augmentation.flip, 0) << rung.pictures;
    EXPECT_EQ(recipe.data.split, 0.1);
    EXPECT_EQ(recipe.data.train.data, "photos \"mine\".csv");
  }
}

TEST(AutoRecipe, ItsOriginStaysInTheResolvedRecipe) {
  EXPECT_EQ(picked(source_of(1'234)).toml.find("# Picked by duet for 1,234 pictures"), 0U);
}

TEST(AutoRecipe, PicturesOfAConceptMeet) {
  const Recipe alone = picked(source_of(600)), shared = picked(source_of(600, 3));
  EXPECT_EQ(alone.objectives.size(), 1U);
  EXPECT_EQ(alone.train.per_concept, 1);
  EXPECT_EQ(shared.objectives.size(), 2U);
  EXPECT_EQ(shared.train.per_concept, 2);
}

TEST(AutoRecipe, VocabularyHasRoomForEveryCharacter) {
  Source source = source_of(50);
  const std::int64_t latin = picked(source).tokenizer.vocabulary;
  std::string kanji;  // 900 of them
  for (int i = 0; i < 900; ++i) {
    const int code = 0x4E00 + i;
    kanji += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
              static_cast<char>(0x80 | (code & 63))};
  }
  source.pairs[0].captions = {kanji};
  const Recipe recipe = picked(source);
  EXPECT_EQ(recipe.tokenizer.vocabulary, latin + 900);
  EXPECT_NO_THROW(Tokenizer::train(captions_of(source), recipe.tokenizer));
}

// The picked batch, steps and rates on a smaller tower: each training picture is found by its own caption.
TEST(AutoRecipe, LearnsTwelvePictures) {
  TemporaryFolder folder;
  Config config = Config::parse(auto_recipe(read_source({.data = "shapes:12:14"}), "shapes:12:14"), "picked");
  for (const char* set : {"image.size=32", "image.widths=[16, 32]", "train.evaluations=1", "data.workers=0"})
    config.set(set);
  const Recipe recipe = read_recipe(config);
  const TrainingData data = read_training_data(recipe, "");
  fs::create_directories(folder / "run");
  Trainer trainer(recipe, data, Tokenizer::train(captions_of(data.train), recipe.tokenizer), folder / "run",
                  torch::kCPU, set_compute_threads(1));
  ASSERT_EQ(trainer.run(), Outcome::finished);
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  const RetrievalResult result = evaluate_retrieval(embed_setting_of(saved), data.train);
  EXPECT_EQ(result.text_to_image.recall_at_1, 1);
  EXPECT_EQ(result.image_to_text.recall_at_1, 1);
}

}  // namespace
}  // namespace duet
