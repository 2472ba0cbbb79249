// Encoding once, reproducible draws, and GradCache: the big batch's gradients from small chunks.
#include "losses/encoded_batch.h"

#include <ATen/Context.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "losses/functional.h"
#include "tiny_model.h"

namespace duet {
namespace {

using testing::relative_distance;
using testing::tiny_batch;
using testing::tiny_model;

torch::Tensor loss_of(EncodedBatch& batch) {
  const auto x = batch.image_embedding("joint"), y = batch.text_embedding("joint");
  return info_nce(scaled_cosine(x, y, batch.model().space("joint").logit_scale), relate(batch.batch(), 1), {});
}

void expect_equal_gradients(const Model& a, const Model& b, double tolerance) {
  const auto others = b.named_parameters();
  int compared = 0;
  for (const auto& item : a.named_parameters()) {
    const auto& other = *others.find(item.key());
    ASSERT_EQ(item.value().grad().defined(), other.grad().defined()) << item.key();
    if (!other.grad().defined()) continue;
    EXPECT_LE(relative_distance(item.value().grad(), other.grad()), tolerance) << item.key();
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

TEST(EncodedBatch, EncodesEachViewOnceHoweverManyAsk) {
  const auto model = tiny_model();
  Batch batch = tiny_batch(4, 1);
  batch.views["second"] = batch.views["main"];
  EncodedBatch encoded(*model, batch, {});
  for (int i = 0; i < 3; ++i) {
    encoded.image_embedding("joint");
    encoded.image_embedding("pieces");
    encoded.image_pooled();
    encoded.image_tokens();
    encoded.text_embedding("joint");
    encoded.text_tokens();
  }
  EXPECT_EQ(encoded.encoder_passes(), 2);
  encoded.image_embedding("joint", "second");
  EXPECT_EQ(encoded.encoder_passes(), 3);
}

std::vector<torch::Tensor> buffers_after(const std::function<void(EncodedBatch&)>& use) {
  const auto model = tiny_model({.batch_norm = true});
  Batch batch = tiny_batch(4, 1);
  batch.views["strong"] = 255 - batch.views["main"];
  EncodedBatch encoded(*model, batch, {});
  use(encoded);
  std::vector<torch::Tensor> copies;
  for (const auto& buffer : model->image->buffers()) copies.push_back(buffer.clone());
  return copies;
}

TEST(EncodedBatch, RunningStatisticsAreThoseOfTheMainView) {
  const auto start = buffers_after([](EncodedBatch&) {});
  const auto main = buffers_after([](EncodedBatch& batch) { batch.image_pooled(); });
  EXPECT_FALSE(torch::equal(start[0], main[0]));
  const auto others = buffers_after([](EncodedBatch& batch) {
    batch.image_pooled("strong");
    batch.image_pooled();
    batch.encode_images("turned", batch.batch().views.at("strong"));
    EXPECT_EQ(batch.encoder_passes(), 3);
  });
  ASSERT_EQ(main.size(), others.size());
  for (std::size_t i = 0; i < main.size(); ++i) EXPECT_TRUE(torch::equal(main[i], others[i])) << i;
}

// Pictures alone, seen only as an objective changed them: else a tower would never learn its statistics.
TEST(EncodedBatch, WithoutTheMainViewRunningStatisticsAreThoseOfAllPasses) {
  const auto start = buffers_after([](EncodedBatch&) {});
  const auto turned = [](EncodedBatch& batch) {
    batch.encode_images("turned", batch.batch().views.at("strong"));
  };
  const auto once = buffers_after(turned);
  EXPECT_FALSE(torch::equal(start[0], once[0]));
  const auto both = buffers_after([&](EncodedBatch& batch) {
    turned(batch);
    batch.image_pooled("strong");
  });
  EXPECT_FALSE(torch::equal(once[0], both[0]));
  const auto main = buffers_after([](EncodedBatch& batch) { batch.image_pooled(); });
  const auto late = buffers_after([&](EncodedBatch& batch) {
    turned(batch);
    turned(batch);
    batch.image_pooled();
    turned(batch);
  });
  for (std::size_t i = 0; i < main.size(); ++i) EXPECT_TRUE(torch::equal(main[i], late[i])) << i;
}

TEST(EncodedBatch, CountsGradCachesSecondPass) {
  const auto model = tiny_model();
  EncodedBatch encoded(*model, tiny_batch(5, 1), {.micro_batch = 2});
  loss_of(encoded).backward();
  EXPECT_EQ(encoded.encoder_passes(), 2);
  encoded.backward_through_encoders();
  EXPECT_EQ(encoded.encoder_passes(), 4);
}

TEST(EncodedBatch, EmbeddingsAreUnitVectorsInFp32) {
  const auto model = tiny_model();
  EncodedBatch encoded(*model, tiny_batch(4, 2), {.precision = Precision::bf16});
  for (const auto& x :
       {encoded.image_embedding("joint"), encoded.text_embedding("joint"), encoded.image_embedding("pieces")}) {
    EXPECT_EQ(x.scalar_type(), torch::kFloat);
    EXPECT_LT((x.norm(2, 1) - 1).abs().max().item<double>(), 1e-5);
  }
  EXPECT_EQ(encoded.image_pooled().scalar_type(), torch::kFloat);
}

TEST(EncodedBatch, DrawsAreAFunctionOfTheSeed) {
  const auto model = tiny_model({.dropout = 0.5});
  const auto batch = tiny_batch(4, 3);
  const auto pooled = [&](std::uint64_t seed) {
    return EncodedBatch(*model, batch, {.seed = seed}).image_pooled();
  };
  const auto first = pooled(1);
  at::manual_seed(99);
  torch::rand({7});
  EXPECT_TRUE(pooled(1).equal(first));
  EXPECT_FALSE(pooled(2).equal(first));
}

TEST(EncodedBatch, LeavesTheGeneratorAsItWas) {
  const auto model = tiny_model({.dropout = 0.5});
  at::manual_seed(5);
  const auto expected = torch::rand({3});
  at::manual_seed(5);
  EncodedBatch encoded(*model, tiny_batch(4, 3), {.seed = 1});
  encoded.image_pooled();
  encoded.text_pooled();
  EXPECT_TRUE(torch::rand({3}).equal(expected));
}

TEST(GradCache, GivesTheBigBatchsGradients) {
  for (const std::int64_t micro_batch : {1, 2, 3, 7, 8, 100}) {
    const auto whole = tiny_model(), chunks = tiny_model();
    const auto batch = tiny_batch(8, 4);
    EncodedBatch a(*whole, batch, {.seed = 1}), b(*chunks, batch, {.micro_batch = micro_batch, .seed = 1});
    const auto loss_a = loss_of(a), loss_b = loss_of(b);
    EXPECT_NEAR(loss_a.item<double>(), loss_b.item<double>(), 1e-5);
    loss_a.backward();
    loss_b.backward();
    a.backward_through_encoders();
    b.backward_through_encoders();
    expect_equal_gradients(*whole, *chunks, 1e-5);
  }
}

// The same draws in both passes: the reference encodes the same chunks in one graph, with each chunk's own
// seed.
TEST(GradCache, DrawsTheSameDropoutTwice) {
  const auto reference = tiny_model({.dropout = 0.5}), chunks = tiny_model({.dropout = 0.5});
  const auto batch = tiny_batch(6, 5);
  const std::uint64_t seed = 11;
  std::vector<torch::Tensor> pictures, captions;
  for (std::int64_t chunk = 0; chunk < 3; ++chunk) {
    const Batch part = batch.slice(2 * chunk, 2 * chunk + 2);
    at::manual_seed(seed_of(seed, chunk, "image.main"));
    pictures.push_back(reference->image->forward(reference->normalize(part.views.at("main"))));
    at::manual_seed(seed_of(seed, chunk, "text"));
    captions.push_back(reference->text->forward(part.tokens, part.valid));
  }
  const auto x = reference->image_embedding("joint", at::cat(pictures));
  const auto y = reference->text_embedding("joint", at::cat(captions), batch.tokens, batch.valid);
  info_nce(scaled_cosine(x, y, reference->space("joint").logit_scale), relate(batch, 1), {}).backward();

  EncodedBatch encoded(*chunks, batch, {.micro_batch = 2, .seed = seed});
  loss_of(encoded).backward();
  encoded.backward_through_encoders();
  expect_equal_gradients(*reference, *chunks, 1e-5);
}

TEST(GradCache, RunningStatisticsCountEachPictureOnce) {
  const auto model = tiny_model({.batch_norm = true}), once = tiny_model({.batch_norm = true});
  const auto batch = tiny_batch(6, 6);
  EncodedBatch encoded(*model, batch, {.micro_batch = 2});
  loss_of(encoded).backward();
  encoded.backward_through_encoders();
  for (std::int64_t chunk = 0; chunk < 3; ++chunk) {
    once->image->forward(once->normalize(batch.slice(2 * chunk, 2 * chunk + 2).views.at("main")));
  }
  for (const auto& buffer : once->image->named_buffers()) {
    EXPECT_TRUE(model->image->named_buffers().find(buffer.key())->equal(buffer.value())) << buffer.key();
  }
}

TEST(GradCache, LeavesAFrozenTowerAlone) {
  const auto model = tiny_model();
  for (auto& parameter : model->image->parameters()) parameter.set_requires_grad(false);
  EncodedBatch encoded(*model, tiny_batch(6, 7), {.micro_batch = 4});
  loss_of(encoded).backward();
  encoded.backward_through_encoders();
  EXPECT_EQ(encoded.encoder_passes(), 3);  // no second pass through the pictures
  EXPECT_FALSE(model->image->parameters()[0].grad().defined());
  EXPECT_TRUE(model->text->parameters()[0].grad().defined());
}

TEST(GradCache, KeepsNoTokens) {
  const auto model = tiny_model();
  EncodedBatch encoded(*model, tiny_batch(6, 7), {.micro_batch = 4});
  EXPECT_THROW(encoded.image_tokens(), c10::Error);
  EXPECT_THROW(encoded.text_tokens(), c10::Error);
}

TEST(GradCache, WorksWithoutGradientsToo) {
  const auto model = tiny_model();
  model->eval();
  const torch::NoGradGuard no_grad;
  EncodedBatch whole(*model, tiny_batch(6, 8), {}), chunks(*model, tiny_batch(6, 8), {.micro_batch = 4});
  EXPECT_NEAR(loss_of(whole).item<double>(), loss_of(chunks).item<double>(), 1e-6);
  chunks.backward_through_encoders();
  EXPECT_EQ(chunks.encoder_passes(), 2);
}

}  // namespace
}  // namespace duet
