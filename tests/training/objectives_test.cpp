// An objective that needs what the recipe lacks is refused at its own line.
#include "training/objectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/format.h"
#include "optim/adamw.h"
#include "tests/support/failure.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBag = "[text]\nkind = \"bag_of_tokens\"\ncontext = 16\n";
constexpr const char* kTransformer = "[text]\nkind = \"transformer\"\nwidth = 16\nheads = 2\nlayers = 1\n";
constexpr const char* kConvnet = "[image]\nkind = \"convnet\"\nsize = 16\nwidths = [8, 16]\n";

// What refuses the recipe of these tables, or Exit::ok.
Failure refusal(const std::string& tables) {
  return failure_of([&] {
    const Recipe recipe =
        read_recipe(Config::parse("[data]\ntrain = \"shapes\"\n[train]\nsteps = 1\n" + tables, "r.toml"));
    Model model(recipe.model, 300, 1);
    Teachers teachers(model);
    make_objectives(recipe, model, teachers, {{"pairs", {.statistics = even_statistics(300)}}}, 1);
  });
}

TEST(MakeObjectives, NamesTheViewThatIsMissingOrTooFew) {
  const std::string recipe = std::string(kConvnet) + kBag + "[[objective]]\nkind = \"simclr\"\n";
  const Failure missing = refusal(recipe + "[views.simclrs]\ncount = 2\n");
  EXPECT_EQ(missing.exit, Exit::usage);
  EXPECT_THAT(missing.text,
              AllOf(HasSubstr("r.toml:13"), HasSubstr("asks for the view 'simclr'; did you mean 'simclrs'"),
                    HasSubstr("[views.simclr]")));
  const Failure single = refusal(recipe + "[views.simclr]\ncrop = [0.2, 1.0]\n");
  EXPECT_EQ(single.exit, Exit::usage);
  EXPECT_THAT(single.text,
              AllOf(HasSubstr("r.toml:13"), HasSubstr("2 copies"), HasSubstr("set views.simclr.count = 2")));
  EXPECT_EQ(refusal(recipe + "[views.simclr]\ncount = 2\n").exit, Exit::ok);
}

TEST(MakeObjectives, ViewsAreWholePatches) {
  const std::string vit = "[image]\nkind = \"vit\"\nsize = 16\npatch = 8\nwidth = 16\nheads = 2\nlayers = 1\n";
  const std::string recipe = vit + kBag + "[views.simclr]\ncount = 2\nsize = ";
  const std::string objective = "\n[[objective]]\nkind = \"simclr\"\n";
  EXPECT_EQ(refusal(recipe + "8" + objective).exit, Exit::ok);
  const Failure odd = refusal(recipe + "12" + objective);
  EXPECT_EQ(odd.exit, Exit::usage);
  EXPECT_THAT(odd.text,
              AllOf(HasSubstr("r.toml:19"), HasSubstr("'simclr' of 12 pixels"), HasSubstr("multiple of 8")));
}

TEST(MakeObjectives, DecodersOfPixelsSeeWholePictures) {
  for (const std::string kind : {"autoencoder", "inpainting", "masked_patch"}) {
    const Failure small =
        refusal(std::string(kConvnet) + kBag + "[views.small]\nsize = 8\n[[objective]]\nkind = \"" + kind +
                "\"\nview = \"small\"\n");
    EXPECT_EQ(small.exit, Exit::usage);
    EXPECT_THAT(small.text,
                AllOf(HasSubstr("r.toml:15"), HasSubstr("16 pixels"), HasSubstr("views.small.size")));
  }
}

TEST(MakeObjectives, LanguageObjectivesNeedPiecesThatSeeEachOther) {
  for (const std::string kind : {"masked_lm", "autoregressive_lm"}) {
    const std::string objective = "[[objective]]\nkind = \"" + kind + "\"\n";
    const Failure bag = refusal(std::string(kConvnet) + kBag + objective);
    EXPECT_EQ(bag.exit, Exit::usage);
    EXPECT_THAT(bag.text,
                AllOf(HasSubstr("r.toml:13"), HasSubstr(kind), HasSubstr("text.kind = \"transformer\"")));
    EXPECT_EQ(refusal(std::string(kConvnet) + kTransformer + objective).exit, Exit::ok);
    const Failure pictures = refusal(kConvnet + objective);
    EXPECT_EQ(pictures.exit, Exit::usage);
    EXPECT_THAT(pictures.text, AllOf(HasSubstr("r.toml:10"), HasSubstr("needs captions"), HasSubstr("[text]")));
  }
}

TEST(MakeObjectives, PicturesAreNeededWhereThereIsTextAlone) {
  for (const std::string kind : {"simclr", "rotation", "jigsaw", "inpainting", "autoencoder"}) {
    const Failure texts = refusal(kTransformer + ("[[objective]]\nkind = \"" + kind + "\"\n"));
    EXPECT_EQ(texts.exit, Exit::usage);
    EXPECT_THAT(texts.text, AllOf(HasSubstr("r.toml:11"), HasSubstr("needs pictures"), HasSubstr("[image]")));
  }
}

TEST(MakeObjectives, PicturesMustBeCutIntoWholeCells) {
  const auto refused = [](const std::string& image, const std::string& objective) {
    return refusal(image + kBag + "[[objective]]\nkind = " + objective + "\n").text;
  };
  const std::string odd = "[image]\nkind = \"convnet\"\nsize = 20\nwidths = [8, 16]\n";  // 3 x 3 cells
  EXPECT_THAT(refused(odd, "\"inpainting\""),
              AllOf(HasSubstr("r.toml:13"), HasSubstr("20 pixels"), HasSubstr("3 cells")));
  EXPECT_THAT(refused(odd, "\"autoencoder\""), AllOf(HasSubstr("r.toml:13"), HasSubstr("multiple of 8")));
  const std::string vit = "[image]\nkind = \"vit\"\nsize = 16\npatch = 4\nwidth = 16\nheads = 2\nlayers = 1\n";
  EXPECT_THAT(refused(vit, "\"jigsaw\"\ntile_size = 6"),
              AllOf(HasSubstr("r.toml:16"), HasSubstr("multiple of 4")));
  EXPECT_EQ(refused(vit, "\"jigsaw\""), "");
  EXPECT_EQ(refused(vit, "\"inpainting\""), "");
}

TEST(MakeObjectives, PassesOfTheirOwnAllowNoMicroBatch) {
  const std::string towers = std::string(kConvnet) + kTransformer;
  for (const std::string kind : {"rotation", "jigsaw", "inpainting", "masked_lm", "autoregressive_lm"}) {
    const Failure micro = refusal("micro_batch = 8\n" + towers + "[[objective]]\nkind = \"" + kind + "\"\n");
    EXPECT_EQ(micro.exit, Exit::usage);
    EXPECT_THAT(micro.text, AllOf(HasSubstr(kind), HasSubstr("leave train.micro_batch out")));
  }
  EXPECT_EQ(
      refusal("micro_batch = 8\n" + towers + "[views.simclr]\ncount = 2\n[[objective]]\nkind = \"simclr\"\n")
          .exit,
      Exit::ok);
}

TEST(MakeObjectives, HiddenPatchesNeedATowerThatSeesPatches) {
  const std::string objective = "[[objective]]\nkind = \"masked_feature\"\n";
  const Failure convolutions = refusal(std::string(kConvnet) + kBag + objective);
  EXPECT_EQ(convolutions.exit, Exit::usage);
  EXPECT_THAT(convolutions.text, AllOf(HasSubstr("r.toml:13"), HasSubstr("masked_feature"),
                                       HasSubstr("single patches"), HasSubstr("image.kind = \"vit\"")));
}

// However strong the decay: twins belong to the objective, so the optimiser knows of them.
TEST(NamedParameters, TwinsAreNeitherSteppedNorDecayed) {
  const Recipe recipe = read_recipe(
      Config::parse(cat("[data]\ntrain = \"shapes\"\n[train]\nsteps = 1\nbatch = 4\n", kConvnet, kBag,
                        "[views.moco]\ncount = 2\n[[objective]]\nkind = \"moco\"\nqueue = 0\n"),
                    "r.toml"));
  Model model(recipe.model, 300, 1);
  Teachers teachers(model);
  const auto objectives =
      make_objectives(recipe, model, teachers, {{"pairs", {.statistics = even_statistics(300)}}}, 1);
  AdamW optimizer(plan_parameters(named_parameters(recipe, model, objectives), {}, 10), {.lr = 0.01});
  Batch batch;
  batch.views["moco"] = torch::randint(256, {8, 3, 16, 16}, torch::kLong).to(torch::kByte);
  batch.image_id = batch.caption_id = batch.concept_id = torch::arange(4);
  batch.tokens = torch::zeros({4, 1}, torch::kLong);
  batch.rows = {0, 1, 2, 3};
  EncodedBatch encoded(model, batch, {});
  std::map<std::string, torch::Tensor> before;
  for (const auto& item : objectives[0]->named_parameters()) before[item.key()] = item.value().clone();
  objectives[0]->compute(encoded, {}).loss.backward();
  optimizer.step(1);
  for (const auto& item : objectives[0]->named_parameters())
    EXPECT_EQ(torch::equal(item.value(), before.at(item.key())), item.key().starts_with("twin.")) << item.key();
  for (const auto& [name, value] : optimizer.state()) EXPECT_THAT(name, Not(HasSubstr("twin"))) << name;
}

}  // namespace
}  // namespace duet
