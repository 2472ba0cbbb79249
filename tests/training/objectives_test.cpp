// An objective that needs what the recipe or its data lack is refused at its own line, before anything is made.
#include "training/objectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/files.h"
#include "core/format.h"
#include "losses/text/word_corpus.h"
#include "optim/adamw.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/small_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBag = "[text]\nkind = \"bag_of_tokens\"\ncontext = 16\n";
constexpr const char* kTransformer = "[text]\nkind = \"transformer\"\nwidth = 16\nheads = 2\nlayers = 1\n";
constexpr const char* kConvnet = "[image]\nkind = \"convnet\"\nsize = 16\nwidths = [8, 16]\n";

// What refuses the recipe of these tables, or Exit::ok.
Failure refusal(const std::string& tables) {
  return failure_of([&] {
    read_recipe(Config::parse("[data]\ntrain = \"shapes\"\n[train]\nsteps = 1\n" + tables, "r.toml"));
  });
}

// The data is nowhere, and no machine holds the model.
constexpr const char* kHuge =
    "[data]\ntrain = \"nowhere.tsv\"\n[train]\nsteps = 1\nbatch = 64\n"
    "[tokenizer]\nvocabulary = 1000000\n";
constexpr const char* kHugeConvnet =
    "[image]\nkind = \"convnet\"\nsize = 20\nwidths = [4096, 4096]\nblocks = 50\n";
constexpr const char* kHugeVit = "[image]\nkind = \"vit\"\nsize = 64\nwidth = 8192\nlayers = 200\nheads = 8\n";
constexpr const char* kHugeText = "[text]\nkind = \"transformer\"\nwidth = 8192\nlayers = 200\nheads = 8\n";
constexpr const char* kHugeBag = "[text]\nkind = \"bag_of_tokens\"\nwidth = 8192\n";

TEST(ObjectiveNeeds, EveryKindIsRefusedBeforeAnythingIsMade) {
  struct Case {
    std::string kind, keys, towers, said;
  };
  const std::string pairs = cat(kHugeConvnet, kHugeText), patches = cat(kHugeVit, kHugeText);
  const std::vector<Case> cases = {
      {"info_nce", "view = \"close\"", pairs, "[views.close]"},
      {"sigmoid", "space = \"far\"", pairs, "no embedding space 'far'"},
      {"same_concept", "", pairs, "train.per_concept"},
      {"caption_tokens", "space = \"joint\"", pairs, "kind = \"pieces\""},
      {"captioning", "decoder_heads = 7", pairs, "no multiple of 7 heads"},
      {"image_text_matching", "view = \"close\"", pairs, "[views.close]"},
      {"simclr", "view = \"main\"", pairs, "2 copies"},
      {"moco", "queue = 100", pairs, "64 or 128"},
      {"byol", "view = \"main\"", pairs, "2 copies"},
      {"self_distillation", "view = \"main\"", pairs, "2 copies"},
      {"masked_feature", "", pairs, "image.kind = \"vit\""},
      {"rotation", "view = \"close\"", pairs, "[views.close]"},
      {"jigsaw", "tile_size = 20", patches, "multiple of 8"},
      {"inpainting", "", pairs, "3 cells"},
      {"masked_patch", "decoder_width = 64", pairs, "one linear map"},
      {"autoencoder", "", pairs, "multiple of 8"},
      {"masked_lm", "", cat(kHugeConvnet, kHugeBag), "text.kind = \"transformer\""},
      {"autoregressive_lm", "", cat(kHugeConvnet, kHugeBag), "text.kind = \"transformer\""},
      {"denoising", "memory = \"pooled\"", cat(kHugeConvnet, kHugeBag), "text.kind = \"transformer\""},
      {"next_sentence", "", pairs, "text.segments = 2"},
      {"word2vec", "", kHugeConvnet, "needs captions"},
      {"glove", "unit = \"word\"", kHugeConvnet, "needs captions"},
  };
  std::set<std::string> kinds, tried;
  for (const auto& kind : objective_kinds()) kinds.emplace(kind.name);
  for (const Case& one : cases) {
    const std::string recipe = cat(kHuge, one.towers, "[[objective]]\nkind = \"", one.kind, "\"\n");
    const auto line = std::count(recipe.begin(), recipe.end(), '\n');
    const Failure failure = failure_of([&] { read_recipe(Config::parse(recipe + one.keys + "\n", "r.toml")); });
    EXPECT_EQ(failure.exit, Exit::usage) << one.kind;
    EXPECT_THAT(failure.text, AnyOf(HasSubstr(cat("r.toml:", line, ":")),       // the objective
                                    HasSubstr(cat("r.toml:", line + 1, ":"))))  // or its key
        << one.kind;
    EXPECT_THAT(failure.text, HasSubstr(one.said)) << one.kind;
    tried.insert(one.kind);
  }
  EXPECT_EQ(tried, kinds);
}

// Pictures that are not there are told of later.
TEST(ObjectiveNeeds, WhatTheDataLacksIsToldBeforeAPictureIsOpened) {
  const TemporaryFolder folder;
  const std::string towers = cat(kHugeConvnet, kHugeText, "segments = 2\n");
  const auto refused = [&](const std::string& rows, const std::string& table, const std::string& more = "") {
    write_file(folder / "pairs.tsv", "filepath\tcaption\tconcept\n" + rows);
    write_file(folder / "texts.txt", "one\n\ntwo\n\nthree\n");
    const Config recipe =
        Config::parse(cat("[data]\ntrain = '", (folder / "pairs.tsv").string(), "'\n", more,
                          "[train]\nsteps = 1\nbatch = 2\n[tokenizer]\nvocabulary = 1000000\n", towers,
                          "[[objective]]\nkind = \"info_nce\"\n[[objective]]\n", table),
                      "r.toml");
    const Recipe read = read_recipe(recipe);
    const Failure failure = failure_of([&] { read_training_data(read, ""); });
    EXPECT_THAT(failure.text, AnyOf(HasSubstr("r.toml:"), HasSubstr(".png")));
    return failure;
  };
  const std::string rows = "a.png\ta cat\tcat\nb.png\ta dog\tdog\nc.png\ta bird\tbird\n";
  const std::string beside =
      cat("[[data.source]]\nname = \"side\"\nshare = 0.5\ndata = '", (folder / "texts.txt").string(), "'\n");
  const Failure single = refused(rows, "kind = \"next_sentence\"\n");
  EXPECT_EQ(single.exit, Exit::usage);
  EXPECT_THAT(single.text, AllOf(HasSubstr("next_sentence: needs texts that stand together"),
                                 HasSubstr("'pairs'"), HasSubstr("several captions")));
  const Failure sentences = refused(rows, "kind = \"rotation\"\nsource = \"side\"\n", beside);
  EXPECT_EQ(sentences.exit, Exit::usage);
  EXPECT_THAT(sentences.text, AllOf(HasSubstr("rotation: needs pictures"), HasSubstr("'side'")));
  const Failure documents = refused(rows, "kind = \"next_sentence\"\nsource = \"side\"\n", beside);
  EXPECT_THAT(documents.text, AllOf(HasSubstr("next_sentence: needs texts that stand"), HasSubstr("'side'")));
  // With nothing lacking, it is the pictures' turn.
  const Failure pictures = refused(rows + "a.png\tthe cat\tcat\n", "kind = \"next_sentence\"\n");
  EXPECT_EQ(pictures.exit, Exit::data);
  EXPECT_THAT(pictures.text, HasSubstr("a.png"));
}

TEST(ObjectiveNeeds, ABatchIsNoLargerThanItsSource) {
  const TemporaryFolder folder;
  write_file(folder / "texts.txt", "one red cat\ntwo blue dogs\nthree green birds\n");
  const auto refused = [&](int batch) {
    const Recipe recipe = recipe_with(
        {cat("train.batch=", batch),
         "objective=[{kind='info_nce'}, {kind='word2vec', "
         "source='side'}]",
         cat("data.source=[{name='side', share=0.5, data='", (folder / "texts.txt").string(), "'}]")});
    return failure_of([&] { read_training_data(recipe, ""); });
  };
  EXPECT_EQ(refused(3).exit, Exit::ok);
  const Failure side = refused(4);
  EXPECT_EQ(side.exit, Exit::usage);
  EXPECT_THAT(side.text, AllOf(HasSubstr("a batch of 4"), HasSubstr("the source 'side', which has 3 sentences"),
                               HasSubstr("at most 3")));
  const Failure pairs = refused(65);
  EXPECT_EQ(pairs.exit, Exit::usage);
  EXPECT_THAT(pairs.text,
              AllOf(HasSubstr("train.batch: a batch of 65 is larger than the data, which has 64 pictures"),
                    HasSubstr("at most 64")));
}

TEST(ObjectiveNeeds, MaskingNeedsPiecesToTellApart) {
  const Recipe recipe = recipe_with({"text.kind=transformer", "text.width=8", "text.heads=2", "text.layers=1",
                                     "objective=[{kind='masked_lm'}]"});
  const auto of = [&](std::int64_t held) {
    CorpusStatistics statistics = even_statistics(300);
    statistics.counts.slice(0, held).fill_(0);
    return failure_of([&] {
      check_texts(recipe, {{"pairs", {.statistics = statistics, .corpus = {.texts = [] {
                                                                  return std::vector<std::string>();
                                                                }}}}});
    });
  };
  EXPECT_EQ(of(2).exit, Exit::ok);
  const Failure poor = of(1);
  EXPECT_EQ(poor.exit, Exit::usage);
  EXPECT_THAT(poor.text,
              AllOf(HasSubstr("masked_lm: needs texts of at least 2 different pieces"), HasSubstr("hold 1")));
}

// A budget in minutes is built three times.
TEST(MakeObjectives, CountTheTextsOnce) {
  const Recipe recipe = recipe_with(
      {"objective=[{kind='word2vec', unit='word', min_count=1}, {kind='glove', name='far', unit='word', "
       "min_count=1, dimension=7}, {kind='glove', unit='word', min_count=1, window=3}]"});
  int read = 0;
  const std::map<std::string, SourceFacts> sources = {
      {"pairs",
       {.statistics = even_statistics(300),
        .corpus = {.texts =
                       [&read] {
                         ++read;
                         return std::vector<std::string>{"a b c d e f g h", "b c d e f g h i"};
                       },
                   .counts = std::make_shared<CorpusCounts>()}}}};
  check_texts(recipe, sources);
  std::vector<std::vector<std::shared_ptr<Objective>>> built;
  for (int i = 0; i < 3; ++i) {
    Model model(recipe.model, 300, 1);
    Teachers teachers(model);
    built.push_back(make_objectives(recipe, model, teachers, sources));
  }
  EXPECT_EQ(read, 1);
  ASSERT_EQ(built[0].size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const TensorMap first = tensors_of(*built[0][i]), last = tensors_of(*built[2][i]);
    for (const auto& [name, value] : first) EXPECT_TRUE(torch::equal(value, last.at(name))) << name;
  }
}

TEST(ObjectiveNeeds, NamesTheViewThatIsMissingOrTooFew) {
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

TEST(ObjectiveNeeds, ViewsAreWholePatches) {
  const std::string vit = "[image]\nkind = \"vit\"\nsize = 16\npatch = 8\nwidth = 16\nheads = 2\nlayers = 1\n";
  const std::string recipe = vit + kBag + "[views.simclr]\ncount = 2\nsize = ";
  const std::string objective = "\n[[objective]]\nkind = \"simclr\"\n";
  EXPECT_EQ(refusal(recipe + "8" + objective).exit, Exit::ok);
  const Failure odd = refusal(recipe + "12" + objective);
  EXPECT_EQ(odd.exit, Exit::usage);
  EXPECT_THAT(odd.text,
              AllOf(HasSubstr("r.toml:19"), HasSubstr("'simclr' of 12 pixels"), HasSubstr("multiple of 8")));
}

TEST(ObjectiveNeeds, DecodersOfPixelsSeeWholePictures) {
  for (const std::string kind : {"autoencoder", "inpainting", "masked_patch"}) {
    const Failure small =
        refusal(std::string(kConvnet) + kBag + "[views.small]\nsize = 8\n[[objective]]\nkind = \"" + kind +
                "\"\nview = \"small\"\n");
    EXPECT_EQ(small.exit, Exit::usage);
    EXPECT_THAT(small.text,
                AllOf(HasSubstr("r.toml:15"), HasSubstr("16 pixels"), HasSubstr("views.small.size")));
  }
}

// Each patch tells its own pixels, however many there are.
TEST(ObjectiveNeeds, PatchesAreToldInViewsOfAnySize) {
  const std::string vit = "[image]\nkind = \"vit\"\nsize = 16\npatch = 4\nwidth = 16\nheads = 2\nlayers = 1\n";
  const auto refused = [&](const std::string& kind, int size) {
    return refusal(cat(vit, kBag, "[views.other]\nsize = ", size, "\n[[objective]]\nkind = \"", kind,
                       "\"\nview = \"other\"\n"));
  };
  for (const std::string kind : {"masked_patch", "inpainting"}) {
    EXPECT_EQ(refused(kind, 24).text, "");
    EXPECT_THAT(refused(kind, 22).text, HasSubstr("no multiple of the patch, 4"));
  }
  EXPECT_THAT(refused("masked_patch", 4).text, AllOf(HasSubstr("r.toml:18"), HasSubstr("several patches")));
  EXPECT_THAT(refused("autoencoder", 24).text, HasSubstr("views.other.size"));
}

TEST(ObjectiveNeeds, LanguageObjectivesNeedPiecesThatSeeEachOther) {
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

TEST(ObjectiveNeeds, PicturesAreNeededWhereThereIsTextAlone) {
  for (const std::string kind : {"simclr", "rotation", "jigsaw", "inpainting", "autoencoder"}) {
    const Failure texts = refusal(kTransformer + ("[[objective]]\nkind = \"" + kind + "\"\n"));
    EXPECT_EQ(texts.exit, Exit::usage);
    EXPECT_THAT(texts.text, AllOf(HasSubstr("r.toml:11"), HasSubstr("needs pictures"), HasSubstr("[image]")));
  }
}

TEST(ObjectiveNeeds, PicturesMustBeCutIntoWholeCells) {
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

TEST(ObjectiveNeeds, PassesOfTheirOwnAllowNoMicroBatch) {
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

TEST(ObjectiveNeeds, HiddenPatchesNeedATowerThatSeesPatches) {
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
      make_objectives(recipe, model, teachers, {{"pairs", {.statistics = even_statistics(300)}}});
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
