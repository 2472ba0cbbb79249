#include "encoders/image_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "towers.h"

namespace duet {
namespace {

struct Case {
  std::string name, toml;
  std::int64_t tokens, width;  // at 32 pixels
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class EveryImageEncoder : public testing::TestWithParam<Case> {};

TEST_P(EveryImageEncoder, HasItsShapesAndLearnsEverywhere) {
  const auto tower = image_tower(GetParam().toml, 32);
  randomise(*tower);
  const auto tokens = tower->embed(random_images(3, 32));
  ASSERT_EQ(tokens.size(0), 3);
  EXPECT_EQ(tokens.size(1), GetParam().tokens);
  EXPECT_EQ(tower->encode(tokens).sizes(), tokens.sizes());
  const auto pooled = tower->pool(tower->encode(tokens));
  EXPECT_EQ(pooled.sizes(), (std::vector<std::int64_t>{3, GetParam().width}));
  EXPECT_EQ(tower->width(), GetParam().width);
  at::mul(pooled, at::randn_like(pooled)).sum().backward();
  EXPECT_EQ(parameters_without_gradient(*tower), 0);
}

// How many tokens a picture has, and whether each is of a patch of its own.
TEST_P(EveryImageEncoder, TheRecipeKnowsItBeforeItIsMade) {
  const ImageEncoderSpec spec = image_spec(GetParam().toml, 32);
  const auto tower = image_tower(GetParam().toml, 32);
  tower->eval();
  const std::int64_t prefix = GetParam().tokens - spec.cells(32) * spec.cells(32);
  EXPECT_TRUE(prefix == 0 || (prefix == 1 && spec.has_patches)) << prefix;
  for (const std::int64_t size : {16, 64, 20, 9}) {
    if (spec.has_patches && size % spec.stride != 0) continue;
    EXPECT_EQ(tower->embed(random_images(1, size)).size(1), spec.cells(size) * spec.cells(size) + prefix)
        << size;
  }
  const auto images = random_images(1, 64);
  auto changed = images.clone();
  changed.slice(2, 0, spec.stride).slice(3, 0, spec.stride).add_(1);  // the pixels of the first cell
  const auto moved = (tower->embed(images) - tower->embed(changed)).abs().amax({0, 2}) > 0;
  EXPECT_EQ(spec.has_patches, moved.sum().item<std::int64_t>() == 1);
}

// To the bit where only the memory format differs. Beside other pictures the sums of an fp32 convolution or
// matrix product may be taken in another order, which moves last bits: 16 units in the last place of the
// largest feature, and at most 1e-5 but for the resnets, whose features reach 1e8 here (random weights, no
// statistics yet).
TEST_P(EveryImageEncoder, SeesThePictureNotItsMemoryFormatNorItsNeighbours) {
  const auto tower = image_tower(GetParam().toml, 32);
  randomise(*tower);
  tower->eval();
  const auto images = random_images(2, 32);
  const auto pooled = tower->forward(images);
  EXPECT_EQ(distance(tower->forward(images.contiguous(at::MemoryFormat::ChannelsLast)), pooled), 0);
  double tolerance = 16 * std::numeric_limits<float>::epsilon() * pooled.abs().max().item<double>();
  if (!GetParam().name.starts_with("resnet")) tolerance = std::min(tolerance, 1e-5);
  EXPECT_LT(distance(tower->forward(images.narrow(0, 1, 1)), pooled.narrow(0, 1, 1)), tolerance);
}

TEST_P(EveryImageEncoder, ForwardIsTheThreeCalls) {
  const auto tower = image_tower(GetParam().toml, 32);
  tower->eval();
  const auto images = random_images(2, 32);
  EXPECT_LT(distance(tower->forward(images), tower->pool(tower->encode(tower->embed(images)))), 1e-5);
}

TEST_P(EveryImageEncoder, TakesOtherSizes) {
  const auto tower = image_tower(GetParam().toml, 32);
  EXPECT_EQ(tower->forward(random_images(2, 64)).size(1), tower->width());
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryImageEncoder,
    testing::Values(
        Case{"convnet", "kind = \"convnet\"\nstem = 8\nwidths = [8, 16]\nmap = 2\nmap_width = 4\n", 16, 32},
        Case{"convnet_average",
             "kind = \"convnet\"\nstem = 8\nwidths = [8, 16]\nblocks = 2\nmap = 0\nnorm = \"group\"\n", 16, 16},
        Case{"convnet_layer",
             "kind = \"convnet\"\nstem = 8\nstem_stride = 1\nwidths = [8, 16]\nmap = 4\nmap_width = 4\nnorm = "
             "\"layer\"\n",
             64, 80},
        Case{"resnet18", "kind = \"resnet\"\nwidth = 8\n", 16, 64},
        Case{"resnet50", "kind = \"resnet\"\nlayers = 50\nwidth = 8\nstem = \"imagenet\"\n", 1, 256},
        Case{"vit", "kind = \"vit\"\nwidth = 16\nlayers = 2\nheads = 2\n", 17, 16},
        Case{"vit_mean",
             "kind = \"vit\"\nwidth = 16\nlayers = 2\nheads = 2\npool = \"mean\"\npre_norm = false\n", 17, 16},
        Case{"vit_plain",
             "kind = \"vit\"\nwidth = 16\nlayers = 2\nheads = 2\nclass_token = false\npositions = "
             "\"sincos\"\ndrop_path = 0.1\n",
             16, 16}),
    [](const auto& test) { return test.param.name; });

TEST(Vit, IsPyTorchs) {
  auto expected = golden("vit");
  for (const std::string pool : {"cls", "mean"}) {
    const auto tower = image_tower(
        "kind = \"vit\"\npatch = 4\nwidth = 8\nheads = 2\nlayers = 1\npool = \"" + pool + "\"\n", 12);
    load_golden_weights(*tower, "vit");
    for (const std::string size : {"12", "16"}) {  // the native size, and one whose positions are interpolated
      EXPECT_LT(distance(tower->forward(expected.at("images_" + size)), expected.at(pool + "_" + size)), 2e-5)
          << pool << size;
    }
  }
}

TEST(Vit, InterpolatedPositionsAreTheOwnOnesAtTheNativeSize) {
  for (const std::string positions : {"learned", "sincos"}) {
    const auto tower =
        image_tower("kind = \"vit\"\nwidth = 16\nheads = 2\nlayers = 1\nclass_token = false\npositions = \"" +
                        positions + "\"\n",
                    32);
    const auto own = tower->embed(at::zeros({1, 3, 32, 32}));
    if (positions == "learned") {
      EXPECT_EQ(distance(own[0], state_of(*tower).at("positions")), 0);
    }
    // Twice as many cells: the mean of two by two neighbours is close to the cell they came from.
    const auto fine = tower->embed(at::zeros({1, 3, 64, 64})).view({1, 8, 8, 16}).permute({0, 3, 1, 2});
    const auto coarse = at::avg_pool2d(fine, {2, 2}).permute({0, 2, 3, 1}).flatten(1, 2);
    EXPECT_LT((coarse - own).norm().item<double>(), .35 * own.norm().item<double>()) << positions;
  }
}

TEST(Vit, TokensMayBeGatheredBetweenEmbedAndEncode) {
  const auto tower = image_tower("kind = \"vit\"\nwidth = 16\nheads = 2\nlayers = 2\n", 32);
  const auto tokens = tower->embed(random_images(2, 32));
  const auto order = torch::tensor({0, 5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  EXPECT_LT(
      distance(tower->pool(tower->encode(tokens.index_select(1, order))), tower->pool(tower->encode(tokens))),
      1e-5);
  EXPECT_EQ(tower->encode(tokens.narrow(1, 0, 5)).size(1), 5);
}

TEST(Vit, TinyHasOpenClipsSize) {  // its visual tower at 64 pixels, patch 8, width 192, 6 layers, without the
                                   // projection
  const auto tower = image_tower("kind = \"vit\"\n", 64);
  std::int64_t count = 0;
  for (const auto& parameter : tower->parameters()) count += parameter.numel();
  const std::int64_t width = 192, block = 12 * width * width + 13 * width;
  EXPECT_EQ(count, width * 3 * 64 + width + 65 * width + 6 * block + 4 * width);
}

TEST(Convnet, IsPyTorchs) {
  auto expected = golden("convnet");
  const auto tower = image_tower(
      "kind = \"convnet\"\nstem = 8\nstem_stride = 1\nwidths = [8, 8]\nmap = 2\nmap_width = 4\n", 16);
  load_golden_weights(*tower, "convnet");
  tower->eval();
  EXPECT_LT(distance(tower->forward(expected.at("images")), expected.at("eval")), 2e-4);
  tower->train();
  EXPECT_LT(distance(tower->forward(expected.at("images")), expected.at("train")), 2e-4);
  EXPECT_LT(distance(state_of(*tower).at("stem_norm.running_mean"), expected.at("stem_running_mean")), 1e-5);
}

TEST(Convnet, WeightsAreChannelsLast) {
  for (const auto& [name, value] : state_of(*image_tower("kind = \"convnet\"\n", 64))) {
    if (value.dim() == 4) {
      EXPECT_TRUE(value.is_contiguous(at::MemoryFormat::ChannelsLast)) << name;
    }
  }
}

TEST(Convnet, DefaultIsTheQuickStarts) { EXPECT_EQ(image_tower("", 64)->width(), 16 * 64 + 256); }

TEST(Resnet, IsPyTorchs) {
  auto expected = golden("resnet");
  const auto tower = image_tower("kind = \"resnet\"\nblocks = [1]\nbottleneck = true\nwidth = 8\n", 8);
  load_golden_weights(*tower, "resnet");
  tower->eval();
  EXPECT_LT(distance(tower->forward(expected.at("images")), expected.at("pooled")), 2e-4);
}

std::string message_of(const std::string& toml) {
  try {
    image_tower(toml, 64);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}

TEST(ImageOptions, NameWhatIsWrong) {
  EXPECT_THAT(message_of("kind = \"vti\"\n"),
              testing::AllOf(testing::HasSubstr("test.toml:1"), testing::HasSubstr("vit")));
  EXPECT_THAT(message_of("kind = \"vit\"\npatch = 7\n"), testing::HasSubstr("test.toml:2"));
  EXPECT_THAT(message_of("kind = \"vit\"\nheads = 5\n"), testing::HasSubstr("heads"));
  EXPECT_THAT(message_of("kind = \"vit\"\nclass_token = false\npool = \"cls\"\n"),
              testing::HasSubstr("class_token"));
  EXPECT_THAT(message_of("kind = \"resnet\"\nlayers = 20\n"), testing::HasSubstr("18, 34 or 50"));
  EXPECT_THAT(message_of("widths = [64.5]\n"), testing::HasSubstr("whole number"));
}

}  // namespace
}  // namespace duet
