// masked_patch: equal to plain PyTorch (golden/make_masked_patch.py), and what the tower gets to see.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "golden_values.h"
#include "losses/objective.h"
#include "losses/shown.h"
#include "tests/support/failure.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::GoldenValues;
using ::testing::HasSubstr;
using testing::make_objective;

constexpr std::int64_t kSize = 16, kPatch = 4, kCells = 16;

// Convolution tower: cells of four pixels that see their neighbours.
class Cells : public ImageEncoder {
 public:
  explicit Cells(const Init& init) {
    patch_ = register_parameter("patch", init.normal("patch", {8, 3, kPatch, kPatch}, .2));
    mix_ = register_parameter("mix", init.normal("mix", {8, 8, 3, 3}, .2));
  }
  torch::Tensor embed(const torch::Tensor& images) override {
    seen = images;
    const auto map = at::gelu(at::conv2d(images, patch_, {}, kPatch));
    return at::conv2d(map, mix_, {}, 1, 1).flatten(2).transpose(1, 2);
  }
  torch::Tensor encode(const torch::Tensor& tokens) override { return tokens; }
  torch::Tensor pool(const torch::Tensor& tokens) override { return tokens.mean(1); }
  std::int64_t width() const override { return 8; }

  torch::Tensor seen;  // [N, 3, S, S]

 private:
  torch::Tensor patch_, mix_;
};

// Tokens that are the number of their patch, behind `prefix` of number -1, so that what is seen can be told.
class NumberedPatches : public ImageEncoder {
 public:
  explicit NumberedPatches(std::int64_t prefix) : prefix_(prefix) {
    weight_ = register_parameter("weight", torch::ones({1}));
  }
  torch::Tensor embed(const torch::Tensor& images) override {
    const std::int64_t cells = images.size(2) / kPatch * (images.size(3) / kPatch);
    const auto numbers = at::cat({at::full({prefix_}, -1., torch::kFloat), at::arange(cells, torch::kFloat)});
    return (weight_ * numbers).view({1, -1, 1}).expand({images.size(0), -1, 4});
  }
  torch::Tensor encode(const torch::Tensor& tokens) override {
    seen = tokens.detach().select(2, 0);
    return tokens;
  }
  torch::Tensor pool(const torch::Tensor& tokens) override { return tokens.mean(1); }
  std::int64_t width() const override { return 4; }

  torch::Tensor seen;  // [N, L]

 private:
  std::int64_t prefix_;
  torch::Tensor weight_;
};

template <class Tower, class... Args>
std::pair<std::shared_ptr<Model>, std::shared_ptr<Tower>> model_with(const Args&... args) {
  auto tower = std::make_shared<Tower>(args...);
  ModelSpec spec;
  spec.image = {.make = [tower](const Init&) { return tower; },
                .has_patches = std::is_same_v<Tower, NumberedPatches>,
                .stride = kPatch};
  spec.image_size = kSize;
  return {std::make_shared<Model>(spec, testing::kVocabulary, 1), tower};
}

std::shared_ptr<Model> vit_model() {
  Config recipe = Config::parse(
      "[image]\nkind = \"vit\"\nsize = 16\npatch = 4\nwidth = 8\nlayers = 1\nheads = 2\nmlp_ratio = 2\n",
      "vit.toml");
  return std::make_shared<Model>(read_model(recipe), testing::kVocabulary, 1);
}

Batch batch_of(const torch::Tensor& pictures) {
  Batch batch;
  batch.views["main"] = pictures.contiguous(at::MemoryFormat::ChannelsLast);
  return batch;
}
Batch random_batch(std::int64_t rows) {
  torch::manual_seed(3);
  return batch_of(
      at::randint(256, {rows, 3, kSize, kSize}, torch::TensorOptions(torch::kLong)).to(torch::kByte));
}

std::string masked_patch(const std::string& keys = "") { return "kind = \"masked_patch\"\n" + keys; }
const std::string kDecoder = "decoder_width = 12\ndecoder_heads = 3\n";

struct Case {
  std::string name, keys;
  int gradients;
};
class MaskedPatchGolden : public ::testing::TestWithParam<Case> {};

TEST_P(MaskedPatchGolden, EqualsPlainPyTorch) {
  const Case& one = GetParam();
  const GoldenValues golden("masked_patch.safetensors");
  const auto model = one.name == "simmim" ? model_with<Cells>(Init(1)).first : vit_model();
  const auto objective = make_objective(masked_patch(one.keys), *model);
  golden.set(*model, one.name + "/weight/", "");
  golden.set(*objective, one.name + "/weight/", "objective.");
  EncodedBatch encoded(*model, batch_of(golden.at("batch/pictures")), {});
  torch::manual_seed(11);
  const LossTerms terms = objective->compute(encoded, {});
  EXPECT_NEAR(terms.loss.item<double>(), golden.at(one.name + "/loss").item<double>(), 1e-5);
  terms.loss.backward();
  EXPECT_EQ(golden.expect_gradients(*model, one.name, "") +
                golden.expect_gradients(*objective, one.name, "objective."),
            one.gradients);
  EXPECT_EQ(encoded.encoder_passes(), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, MaskedPatchGolden,
                         ::testing::Values(Case{"mae", kDecoder, 50},
                                           Case{"mae_plain", kDecoder + "norm_pixels = false\n", 50},
                                           Case{"simmim", "", 6}),
                         [](const auto& one) { return one.param.name; });

TEST(MaskedPatch, TheTowerComputesVisiblePatchesAlone) {
  for (const std::int64_t prefix : {0, 1, 3}) {
    const auto [model, tower] = model_with<NumberedPatches>(prefix);
    const auto objective = make_objective(masked_patch(kDecoder), *model);
    const Batch batch = random_batch(40);
    EncodedBatch encoded(*model, batch, {});
    auto& shows = dynamic_cast<ShowsPictures&>(*objective);
    const auto hidden = shows.show(encoded).columns.front().pictures;
    ASSERT_EQ(tower->seen.sizes(), (std::vector<std::int64_t>{40, prefix + kCells / 4}));
    EXPECT_TRUE((tower->seen.slice(1, 0, prefix) == -1).all().item<bool>());
    // Each of the other patches once, and those that the page shows as they are.
    const auto covered = (hidden == 128).all(1).unfold(1, kPatch, kPatch).unfold(2, kPatch, kPatch);
    const auto open = covered.flatten(1, 2).flatten(2).all(2).logical_not();  // [N, cells]
    const auto numbers = std::get<0>(tower->seen.slice(1, prefix).to(torch::kLong).sort(1));
    EXPECT_TRUE((open.sum(1) == kCells / 4).all().item<bool>());
    EXPECT_TRUE(open.gather(1, numbers).all().item<bool>());
    EXPECT_TRUE((numbers.diff(1, 1) > 0).all().item<bool>());
    EXPECT_TRUE(open.any(0).all().item<bool>()) << "some patches are never seen";
  }
}

TEST(MaskedPatch, TakesViewsOfAnotherSize) {
  const auto model = vit_model();
  const auto objective = make_objective(masked_patch(kDecoder), *model);
  EncodedBatch encoded(*model, batch_of(torch::full({2, 3, 24, 24}, 7, torch::kByte)), {});
  EXPECT_TRUE(std::isfinite(objective->compute(encoded, {}).loss.item<double>()));
}

TEST(MaskedPatch, TellingNothingOfNormalisedPixelsIsTheirVariance) {
  const auto model = vit_model();
  const auto objective = make_objective(masked_patch(kDecoder), *model);
  const torch::NoGradGuard no_grad;
  for (auto& item : objective->named_parameters()) {
    if (item.key().find("cells.linear") != std::string::npos) item.value().zero_();
  }
  EncodedBatch encoded(*model, random_batch(4), {});
  const LossTerms terms = objective->compute(encoded, {});
  EXPECT_NEAR(terms.loss.item<double>(), 47. / 48, 1e-4);  // of 48 pixels, and the deviation is unbiased
  EXPECT_NEAR(terms.metrics.front().second.item<double>(), 0, .02);
}

TEST(MaskedPatch, AConvolutionTowerSeesHiddenCellsInTheMeanColour) {
  const auto [model, tower] = model_with<Cells>(Init(1));
  const auto objective = make_objective(masked_patch("mask_share = 0.25\n"), *model);
  const Batch batch = random_batch(10);
  EncodedBatch encoded(*model, batch, {});
  objective->compute(encoded, {});
  const auto changed = (tower->seen - model->normalize(batch.views.at("main"))).abs().amax(1) > 1e-6;
  const auto cells = changed.unfold(1, kPatch, kPatch).unfold(2, kPatch, kPatch).flatten(1, 2).flatten(2);
  EXPECT_TRUE((cells.any(2).sum(1) == kCells / 4).all().item<bool>());
  const auto inside = tower->seen.permute({0, 2, 3, 1}).index({changed});
  EXPECT_LT((inside - (128. / 255 - .5) / .5).abs().max().item<double>(), 1e-6);
}

std::string message(const std::function<void()>& action) {
  const Failure failure = failure_of(action);
  EXPECT_EQ(failure.exit, Exit::usage);
  return failure.text;
}

TEST(MaskedPatch, Refusals) {
  const auto vit = vit_model();
  const auto of = [](const std::string& keys, Model& model) {
    return message([&] { make_objective(masked_patch(keys), model); });
  };
  EXPECT_THAT(of("decoder_width = 16\ndecoder_heads = 3\n", *vit),
              AllOf(HasSubstr("r.toml:4:1"), HasSubstr("no multiple of decoder_heads (3)")));
  EXPECT_THAT(of("decoder_width = 18\ndecoder_heads = 3\n", *vit),
              AllOf(HasSubstr("r.toml:3:1"), HasSubstr("no multiple of 4")));
  EXPECT_THAT(of("mask_share = 1\n", *vit), HasSubstr("r.toml:3:"));
  const auto convolution = model_with<Cells>(Init(1)).first;
  EXPECT_THAT(of("decoder_layers = 3\n", *convolution),
              AllOf(HasSubstr("r.toml:3:1"), HasSubstr("one linear map"), HasSubstr("image.kind = \"vit\"")));
}

}  // namespace
}  // namespace duet
