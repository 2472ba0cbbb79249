#include "encoders/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "encoders/blocks.h"
#include "towers.h"

namespace duet {
namespace {

const std::string kSmall =
    "[image]\nkind = \"convnet\"\nsize = 32\nstem = 8\nwidths = [8, 8]\nmap = 0\n"
    "[text]\nkind = \"bag_of_tokens\"\nwidth = 8\n"
    "[[space]]\ndimension = 4\n[[space]]\nkind = \"pieces\"\ndimension = 3\nweight = 2\n"
    "[[space]]\nkind = \"ridge\"\nweight = 0\n";

torch::Tensor random_pixels(std::int64_t batch) {
  return (random_images(batch, 32) * 60 + 128)
      .clamp(0, 255)
      .to(torch::kByte)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(Model, NamesItsParametersByPath) {
  const auto state = state_of(*model_of(kSmall, 20));
  for (const std::string name :
       {"image.stem.weight", "image.stem_norm.running_mean", "text.tokens", "text.norm.weight",
        "spaces.joint.image.weight", "spaces.joint.text.weight", "spaces.joint.logit_scale",
        "spaces.joint.logit_bias", "spaces.pieces.table", "spaces.pieces.idf", "spaces.ridge.mean",
        "spaces.ridge.std", "spaces.ridge.table", "spaces.ridge.idf"}) {
    EXPECT_TRUE(state.contains(name)) << name;
  }
}

TEST(Model, NormalisesPixels) {
  const auto model = model_of("[image]\nmean = [0.5, 0.4, 0.3]\nstd = [0.25, 0.5, 1]\n", 20);
  const auto pixels = random_pixels(2);
  const auto normal = model->normalize(pixels);
  EXPECT_TRUE(normal.is_contiguous(at::MemoryFormat::ChannelsLast));
  const auto expected =
      (pixels.to(torch::kDouble) / 255 - torch::tensor({.5, .4, .3}, torch::kDouble).view({1, 3, 1, 1})) /
      torch::tensor({.25, .5, 1.}, torch::kDouble).view({1, 3, 1, 1});
  EXPECT_EQ(normal.scalar_type(), torch::kFloat);
  EXPECT_LT(distance(normal, expected), 1e-5);
}

TEST(Model, RetrievalIsTheWeightedMeanOfCosines) {
  const auto model = model_of(kSmall, 20);
  model->eval();
  const auto pooled = model->image->forward(model->normalize(random_pixels(3)));
  const auto ids = torch::tensor({{3, 4, 5}, {6, 7, 0}, {8, 0, 0}}), valid = valid_of({3, 2, 1}, 3);
  const auto images = model->retrieval_of_image_features(pooled), texts = model->retrieval_texts(ids, valid);
  EXPECT_EQ(model->retrieval_dimension(), 7);
  EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{3, 7}));
  EXPECT_LT(distance(images.norm(2, {1}), at::ones({3})), 1e-5);
  const auto text_pooled = model->text->forward(ids, valid);
  const auto cosines = [&](std::string_view space) {
    return model->image_embedding(space, pooled)
        .matmul(model->text_embedding(space, text_pooled, ids, valid).t());
  };
  EXPECT_LT(distance(images.matmul(texts.t()), (cosines("joint") + 2 * cosines("pieces")) / 3), 1e-5);
  EXPECT_EQ(model->weights(), (std::vector<double>{1, 2, 0}));
  model->set_weights({1, 0, 0});
  EXPECT_LT(
      distance(model->retrieval_texts(ids, valid), model->text_embedding("joint", text_pooled, ids, valid)),
      1e-6);
}

TEST(Model, PreparesForACorpus) {
  const auto model = model_of(kSmall, 20);
  auto seen = at::zeros({20}, torch::kBool);
  seen[5] = true;
  const auto idf = seen.to(torch::kFloat) * 3;
  model->prepare_for_corpus(seen, idf);
  EXPECT_EQ(model->text->token_table()[4].abs().sum().item<double>(), 0);
  EXPECT_GT(model->text->token_table()[5].abs().sum().item<double>(), 0);
  for (const auto* name : {"pieces", "ridge"}) {
    EXPECT_EQ(distance(dynamic_cast<PieceSpace&>(model->space(name)).idf(), idf), 0);
  }
}

TEST(Model, UnknownSpaceListsWhatThereIs) {
  const auto model = model_of(kSmall, 20);
  EXPECT_TRUE(model->has_space("ridge"));
  EXPECT_FALSE(model->has_space("join"));
  try {
    model->space("join");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::HasSubstr("joint, pieces, ridge"), testing::HasSubstr("did you mean")));
  }
}

TEST(Model, MayHaveOneTower) {
  const auto images = model_of("[image]\nsize = 32\nkind = \"vit\"\nlayers = 1\n", 20);
  EXPECT_TRUE(images->image && !images->text && !images->has_space("joint"));
  const auto texts = model_of("[text]\nlayers = 1\n", 20);
  EXPECT_TRUE(!texts->image && texts->text);
  EXPECT_THROW(model_of("[text]\n[[space]]\n", 20), Error);
}

TEST(Model, ReadsPreprocessing) {
  Config config = Config::parse("[image]\nsize = 48\nresize = \"crop\"\n", "test.toml");
  const ModelSpec spec = read_model(config);
  EXPECT_EQ(spec.image_size, 48);
  EXPECT_EQ(spec.resize, "crop");
  Config wrong = Config::parse("[image]\nmean = [0.5]\n", "test.toml");
  EXPECT_THROW(read_model(wrong), Error);
}

TEST(Model, LearnsEverywhere) {
  const auto model = model_of(kSmall, 20);
  randomise(*model);
  model->prepare_for_corpus(at::ones({20}, torch::kBool), at::ones({20}));
  const auto pooled = model->image->forward(model->normalize(random_pixels(3)));
  const auto ids = torch::tensor({{3, 4, 5}, {6, 7, 0}, {8, 0, 0}}), valid = valid_of({3, 2, 1}, 3);
  const auto text_pooled = model->text->forward(ids, valid);
  auto loss = at::zeros({});
  for (const auto* name : {"joint", "pieces"}) {
    const auto cosine =
        model->image_embedding(name, pooled).matmul(model->text_embedding(name, text_pooled, ids, valid).t());
    const Space& space = model->space(name);
    loss = loss + (cosine * space.logit_scale.exp() + space.logit_bias).sigmoid().diagonal().sum();
  }
  loss.backward();
  EXPECT_EQ(parameters_without_gradient(*model), 0);
}

}  // namespace
}  // namespace duet
