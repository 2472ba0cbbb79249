// Momentum teachers: the schedule, following, what a pass of theirs touches.
#include "losses/teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "losses/encoded_batch.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::tiny_batch;
using testing::tiny_model;

torch::Tensor pictures(const Model& model, std::uint64_t seed) {
  return model.normalize(tiny_batch(4, seed).views.at("main"));
}

// As a step of the optimiser would.
void change(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& parameter : module.parameters()) parameter.mul_(0.5).add_(0.1);
  for (const auto& buffer : module.buffers()) buffer.add_(1);
}

std::vector<torch::Tensor> copies(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> copied;
  for (const auto& tensor : tensors) copied.push_back(tensor.clone());
  return copied;
}

void expect_equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i], b[i])) << i;
}

TEST(Momentum, IsACosineOverTheRun) {
  const Momentum rising{0.9, 1};
  EXPECT_DOUBLE_EQ(rising.at(0), 0.9);
  EXPECT_NEAR(rising.at(1.0 / 3), 1 - 0.1 * 0.75, 1e-12);  // cos(60 degrees) = 1/2
  EXPECT_NEAR(rising.at(0.5), 0.95, 1e-12);
  EXPECT_DOUBLE_EQ(rising.at(1), 1);
  EXPECT_DOUBLE_EQ((Momentum{0.99, 0.99}).at(0.3), 0.99);
}

TEST(Momentum, IsANumberOrTwo) {
  const auto read = [](const std::string& text) {
    Config config = Config::parse(text, "r.toml");
    return read_momentum(config, {0.5, 0.6});
  };
  EXPECT_EQ(read(""), (Momentum{0.5, 0.6}));
  EXPECT_EQ(read("momentum = 0.9"), (Momentum{0.9, 0.9}));
  EXPECT_EQ(read("momentum = [0.9, 1]"), (Momentum{0.9, 1}));
  for (const char* wrong : {"momentum = []", "momentum = [0.1, 0.2, 0.3]", "momentum = 1.5"}) {
    try {
      read(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("r.toml:1"), HasSubstr("momentum")));
    }
  }
}

TEST(Follow, IsARunningMeanOfParametersAndACopyOfBuffers) {
  const auto live = tiny_model({.batch_norm = true}), twin = tiny_model({.batch_norm = true});
  change(*live->image);
  const auto before = copies(twin->image->parameters()), target = live->image->parameters();
  follow(*twin->image, *live->image, 0.75);
  const auto after = twin->image->parameters();
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(torch::allclose(after[i], 0.75 * before[i] + 0.25 * target[i])) << i;
  expect_equal(twin->image->buffers(), live->image->buffers());
}

TEST(Follow, AsksForOneShape) {
  const auto model = tiny_model();
  EXPECT_THROW(follow(*model->image, *model->text, 0.5), c10::Error);
}

TEST(Become, TakesValuesAndGivesNoGradient) {
  const auto live = tiny_model({.batch_norm = true}), twin = tiny_model({.batch_norm = true});
  change(*live->image);
  become(*twin->image, *live->image);
  expect_equal(twin->image->parameters(), live->image->parameters());
  expect_equal(twin->image->buffers(), live->image->buffers());
  for (const auto& parameter : twin->image->parameters()) EXPECT_FALSE(parameter.requires_grad());
  for (const auto& parameter : live->image->parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(Teachers, AreSharedBySchedule) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  const Teacher& first = teachers.of({0.9, 1});
  const Teacher& other = teachers.of({0.9, 0.9});
  EXPECT_EQ(&teachers.of({0.9, 1}), &first);
  EXPECT_NE(&other, &first);
  EXPECT_EQ(teachers.tensors().size(), 2 * tensors_of(*model->image).size());
  EXPECT_TRUE(teachers.tensors().contains("1.image.kernel"));
}

TEST(Teachers, FollowTheStudentEachAtItsPace) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  teachers.of({0.9, 1});
  teachers.of({0.5, 0.5});
  const auto before = tensors_of(*model->image).at("kernel").clone();
  change(*model->image);
  const auto now = tensors_of(*model->image).at("kernel");
  teachers.update(0.5);
  EXPECT_TRUE(torch::allclose(teachers.tensors().at("0.image.kernel"), 0.95 * before + 0.05 * now));
  EXPECT_TRUE(torch::allclose(teachers.tensors().at("1.image.kernel"), 0.5 * before + 0.5 * now));
}

// What a checkpoint restores is what the teacher sees with.
TEST(Teachers, TensorsAreTheLiveOnes) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  const Teacher& teacher = teachers.of({});
  const auto images = pictures(*model, 1);
  const auto before = teacher.see(images).pooled;
  teachers.tensors().at("0.image.kernel").mul_(2);
  EXPECT_FALSE(torch::allclose(teacher.see(images).pooled, before));
}

TEST(Teacher, SeesAsTheStudentDidWithoutGradient) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  const Teacher& teacher = teachers.of({});
  const auto images = pictures(*model, 1);
  const Teacher::Seen seen = teacher.see(images);
  EXPECT_FALSE(seen.pooled.requires_grad());
  EXPECT_FALSE(seen.tokens.requires_grad());
  EXPECT_TRUE(torch::equal(seen.pooled, model->image->forward(images)));
  EXPECT_TRUE(torch::equal(seen.tokens, model->image->encode(model->image->embed(images))));
}

TEST(Teacher, DropsNothing) {
  Config recipe = Config::parse(
      "[image]\nkind = \"vit\"\nsize = 8\npatch = 4\nwidth = 8\nlayers = 1\nheads = 2\ndropout = 0.5\n",
      "r.toml");
  const Model model(read_model(recipe), testing::kVocabulary, 1);
  Teachers teachers(model);
  const Teacher& teacher = teachers.of({});
  const auto images = pictures(model, 1);
  EXPECT_FALSE(torch::equal(model.image->forward(images), model.image->forward(images)));
  EXPECT_TRUE(torch::equal(teacher.see(images).pooled, teacher.see(images).pooled));
}

// The batch's own statistics while the student trains, the running ones when it is judged.
TEST(Teacher, UsesBatchStatisticsWhenTheStudentDoesAndLeavesTheStudentsAlone) {
  const auto model = tiny_model({.batch_norm = true});
  Teachers teachers(*model);
  const Teacher& teacher = teachers.of({});
  const auto images = pictures(*model, 1);
  const auto before = copies(model->image->buffers());
  const auto seen = teacher.see(images).pooled;
  EXPECT_LT(seen.mean(0).abs().max().item<double>(), 1e-5);
  expect_equal(model->image->buffers(), before);
  model->eval();
  EXPECT_GT(teacher.see(images).pooled.mean(0).abs().max().item<double>(), 1e-3);
  teachers.update(0);
  expect_equal(std::vector{teachers.tensors().at("0.image.mean"), teachers.tensors().at("0.image.variance")},
               before);
}

TEST(TeacherImages, AreSeenOnceATeacherAndView) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  Batch batch = tiny_batch(4, 1);
  batch.views["second"] = 255 - batch.views["main"];
  EncodedBatch encoded(*model, batch, {});
  const Teacher &one = teachers.of({0.9, 1}), &other = teachers.of({0.8, 1});
  for (int i = 0; i < 3; ++i) encoded.teacher_images(one);
  EXPECT_EQ(encoded.encoder_passes(), 1);
  encoded.teacher_images(one, "second");
  encoded.teacher_images(other);
  EXPECT_EQ(encoded.encoder_passes(), 3);
  EXPECT_FALSE(torch::equal(encoded.teacher_images(one).pooled, encoded.teacher_images(one, "second").pooled));
  EXPECT_FALSE(encoded.teacher_images(one).tokens.requires_grad());
}

TEST(TeacherImages, ComeInChunksOfAMicroBatchWithTheirTokens) {
  const auto model = tiny_model();
  Teachers teachers(*model);
  EncodedBatch whole(*model, tiny_batch(5, 1), {}), chunks(*model, tiny_batch(5, 1), {.micro_batch = 2});
  const auto& a = whole.teacher_images(teachers.of({}));
  const auto& b = chunks.teacher_images(teachers.of({}));
  EXPECT_TRUE(torch::allclose(a.pooled, b.pooled));
  EXPECT_TRUE(torch::allclose(a.tokens, b.tokens));
  EXPECT_EQ(b.tokens.sizes(), (std::vector<std::int64_t>{5, 4, 12}));
}

}  // namespace
}  // namespace duet
