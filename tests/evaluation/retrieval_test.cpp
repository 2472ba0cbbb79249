#include "evaluation/retrieval.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

Pair pair_of(std::string image, std::vector<std::string> captions, std::string key) {
  Pair pair;
  pair.image = std::move(image);
  pair.captions = std::move(captions);
  pair.concept_key = std::move(key);
  return pair;
}

// Three pictures of two concepts; the two cats share their caption.
Source cats_and_dog() {
  Source source;
  source.pairs = {pair_of("a.png", {"cat"}, "cat"), pair_of("b.png", {"cat", "a cat"}, "cat"),
                  pair_of("c.png", {"dog"}, "dog")};
  return source;
}

TEST(RetrievalTask, AsksEveryCaptionOfAConceptOnce) {
  const RetrievalTask task = make_task(cats_and_dog());
  EXPECT_EQ(task.queries, (std::vector<std::string>{"cat", "a cat", "dog"}));
  EXPECT_EQ(task.query_keys[0], task.query_keys[1]);
  EXPECT_NE(task.query_keys[0], task.query_keys[2]);
  EXPECT_EQ(task.picture_keys[0], task.picture_keys[1]);
  EXPECT_EQ(task.picture_keys[0], task.query_keys[0]);
  EXPECT_EQ(task.picture_queries, (std::vector<std::vector<std::int64_t>>{{0}, {0, 1}, {2}}));
}

TEST(RetrievalResult, APictureWithoutCaptionsIsAnAnswerButNoQuestion) {
  Source source = cats_and_dog();
  source.pairs[0].captions = {""};
  const RetrievalTask task = make_task(source);
  const torch::Tensor texts = torch::tensor({{0.9f, 0.1f, 0.0f}, {0.8f, 0.7f, 0.9f}, {0.0f, 0.0f, 1.0f}});
  const RetrievalResult result = score_task(task, texts, torch::eye(3));
  EXPECT_EQ(result.text_to_image.ranks,
            (std::vector<std::int64_t>{1, 2, 1}));  // "cat" finds a, "a cat" the dog
  EXPECT_EQ(result.image_to_text.queries, 2);
  EXPECT_EQ(result.image_to_text.ranks, (std::vector<std::int64_t>{1, 1}));
}

TEST(RetrievalTask, WithoutConceptsAPictureIsItsOwn) {
  Source source = cats_and_dog();
  for (Pair& pair : source.pairs) pair.concept_key.clear();
  const RetrievalTask task = make_task(source);
  EXPECT_EQ(task.queries.size(), 4u);  // "cat" is asked for a.png and for b.png
  EXPECT_NE(task.picture_keys[0], task.picture_keys[1]);
}

TEST(RetrievalResult, CountsAnyPictureOfTheConceptAndAnyCaptionOfThePicture) {
  const RetrievalTask task = make_task(cats_and_dog());
  const torch::Tensor images = torch::eye(3);
  // "cat" finds b first, "a cat" finds the dog first and then a cat, "dog" finds the dog.
  const torch::Tensor texts = torch::tensor({{0.1f, 0.9f, 0.0f}, {0.2f, 0.1f, 0.9f}, {0.0f, 0.0f, 1.0f}});
  const RetrievalResult result = score_task(task, texts, images);
  EXPECT_EQ(result.text_to_image.ranks, (std::vector<std::int64_t>{1, 2, 1}));
  EXPECT_NEAR(result.text_to_image.recall_at_1, 2.0 / 3, 1e-12);
  // Picture a: "a cat" .2 is b's caption, its own "cat" .1 comes second; b: "cat" .9; c: "dog" 1.
  EXPECT_EQ(result.image_to_text.ranks, (std::vector<std::int64_t>{2, 1, 1}));
  const nlohmann::json json = to_json(result, "x.tsv");
  EXPECT_EQ(json["queries"], 3);
  EXPECT_EQ(json["gallery"], 3);
  EXPECT_NEAR(json["text_to_image"]["recall_at_1"].get<double>(), 2.0 / 3, 1e-12);
  EXPECT_TRUE(json["image_to_text"].contains("recall_at_1_interval"));
}

}  // namespace
}  // namespace duet
