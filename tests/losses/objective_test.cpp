// The table of objectives: reading, checking, and what must hold for every kind that trains a space.
#include "losses/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/format.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::make_objective;
using testing::tiny_batch;
using testing::tiny_model;

// On towers with which every kind can do.
std::vector<ObjectiveSpec> read(const std::string& text) {
  Config recipe = Config::parse(text, "r.toml");
  ModelSpec model = testing::tiny_spec();
  model.text.width = 12;
  model.text.segments = 2;
  auto specs = read_objectives(recipe, {.model = &model, .batch = 4});
  recipe.finish();
  return specs;
}

template <class Action>
std::string message(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}
std::string read_message(const std::string& text) {
  return message([&] { read(text); });
}

class PairedKind : public ::testing::TestWithParam<std::string> {};

LossTerms loss_of(const std::string& kind, Model& model, const Batch& batch, std::int64_t micro_batch = 0) {
  const auto objective = make_objective("kind = \"" + kind + "\"\n", model);
  EncodedBatch encoded(model, batch, {.micro_batch = micro_batch, .seed = 7});
  const auto terms = objective->compute(encoded, {0, 10});
  terms.loss.backward();
  encoded.backward_through_encoders();
  return terms;
}

std::map<std::string, torch::Tensor> gradients(Model& model) {
  std::map<std::string, torch::Tensor> all;
  for (const auto& item : model.named_parameters()) {
    if (item.value().grad().defined()) all[item.key()] = item.value().grad().clone();
  }
  return all;
}

TEST_P(PairedKind, MakesAFiniteFp32LossWithGradients) {
  const auto model = tiny_model();
  const auto terms = loss_of(GetParam(), *model, tiny_batch(6, 1));
  EXPECT_EQ(terms.loss.dim(), 0);
  EXPECT_EQ(terms.loss.scalar_type(), torch::kFloat);
  EXPECT_TRUE(std::isfinite(terms.loss.item<double>()));
  for (const auto& [name, value] : terms.metrics) {
    EXPECT_EQ(value.dim(), 0) << name;
    EXPECT_FALSE(value.requires_grad()) << name;
  }
  const auto all = gradients(*model);
  ASSERT_TRUE(all.contains("image.kernel"));
  for (const auto& [name, gradient] : all) EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << name;
  EXPECT_GT(all.at("image.kernel").abs().max().item<double>(), 0);
}

TEST_P(PairedKind, DoesNotDependOnTheOrderOfRows) {
  const auto model = tiny_model();
  const Batch batch = tiny_batch(6, 2);
  Batch turned = batch;
  const auto order = torch::tensor(std::vector<std::int64_t>{4, 0, 5, 2, 1, 3});
  turned.views["main"] = batch.views.at("main").index_select(0, order);
  for (auto field : {&Batch::tokens, &Batch::valid, &Batch::image_id, &Batch::caption_id, &Batch::concept_id}) {
    turned.*field = (batch.*field).index_select(0, order);
  }
  EXPECT_NEAR(loss_of(GetParam(), *model, batch).loss.item<double>(),
              loss_of(GetParam(), *model, turned).loss.item<double>(), 1e-5);
}

TEST_P(PairedKind, TakesSeveralCopiesOfAPicture) {
  const auto model = tiny_model();
  EXPECT_TRUE(std::isfinite(loss_of(GetParam(), *model, tiny_batch(5, 3, 2)).loss.item<double>()));
}

TEST_P(PairedKind, AccumulatesTheBigBatchsGradients) {
  const auto whole = tiny_model(), chunks = tiny_model();
  const Batch batch = tiny_batch(7, 4);
  const double a = loss_of(GetParam(), *whole, batch).loss.item<double>();
  const double b = loss_of(GetParam(), *chunks, batch, 3).loss.item<double>();
  EXPECT_NEAR(a, b, 1e-5);
  const auto expected = gradients(*whole), got = gradients(*chunks);
  ASSERT_EQ(expected.size(), got.size());
  for (const auto& [name, gradient] : expected) {
    EXPECT_LT(testing::relative_distance(gradient, got.at(name)), 1e-5) << name;
  }
}

TEST_P(PairedKind, AsksForWhatItReads) {
  const Needs needs =
      testing::read_objective("kind = \"" + GetParam() + "\"\nview = \"other\"\n", testing::tiny_spec()).needs;
  EXPECT_EQ(needs.views, std::vector<std::string>{"other"});
  EXPECT_TRUE(needs.pooled_only());
  EXPECT_EQ(needs.texts, GetParam() != "same_concept");
  EXPECT_EQ(needs.concepts, GetParam() == "same_concept");
}

TEST_P(PairedKind, NamesASpaceThatIsNotThere) {
  const auto model = tiny_model();
  const auto make = [&](const std::string& space) {
    return message(
        [&] { make_objective("kind = \"" + GetParam() + "\"\nspace = \"" + space + "\"\n", *model); });
  };
  EXPECT_THAT(make("joynt"), AllOf(HasSubstr("r.toml:3"), HasSubstr("no embedding space 'joynt'"),
                                   HasSubstr("joint"), HasSubstr("pieces")));
  EXPECT_THAT(make("ridge"), AllOf(HasSubstr("r.toml:3"), HasSubstr("solved for after training")));
}

TEST_P(PairedKind, RefusesUnknownKeys) {
  EXPECT_THAT(read_message("[[objective]]\nkind = \"" + GetParam() + "\"\nspaze = \"joint\"\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("spaze"), HasSubstr("space")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, PairedKind,
                         ::testing::Values("info_nce", "sigmoid", "same_concept", "caption_tokens"),
                         [](const auto& kind) { return kind.param; });

TEST(EveryKind, RefusesUnknownKeys) {
  for (const auto& kind : objective_kinds())
    EXPECT_THAT(read_message(cat("[[objective]]\nkind = \"", kind.name, "\"\nwaight = 2\n")),
                AllOf(HasSubstr("r.toml:3"), HasSubstr("waight"), HasSubstr("weight")));
}

TEST(Sigmoid, StartsAtSiglipsScaleAndBias) {
  const auto model = tiny_model();
  make_objective("kind = \"sigmoid\"\n", *model);
  EXPECT_NEAR(model->space("joint").logit_scale.item<double>(), std::log(10.0), 1e-6);
  EXPECT_EQ(model->space("joint").logit_bias.item<double>(), -10);
}

TEST(Sigmoid, KeepsABiasThatTheRecipeGave) {
  const auto model = tiny_model();
  {
    const torch::NoGradGuard no_grad;
    model->space("joint").logit_bias.fill_(-3);
  }
  make_objective("kind = \"sigmoid\"\n", *model);
  EXPECT_EQ(model->space("joint").logit_bias.item<double>(), -3);
}

TEST(CaptionTokens, NeedsVectorsOfPieces) {
  const auto model = tiny_model();
  EXPECT_THAT(message([&] { make_objective("kind = \"caption_tokens\"\nspace = \"joint\"\n", *model); }),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("kind = \"pieces\"")));
}

TEST(CaptionTokens, LeavesUnseenPiecesAndSpecialsAlone) {
  const auto model = tiny_model();
  loss_of("caption_tokens", *model, tiny_batch(6, 5));
  const auto gradient = dynamic_cast<PieceSpace&>(model->space("pieces")).table().grad();
  EXPECT_EQ(gradient[5].abs().max().item<double>(), 0);
  EXPECT_EQ(gradient.slice(0, testing::kPadId).abs().max().item<double>(), 0);
  EXPECT_GT(gradient[4].abs().max().item<double>(), 0);
  EXPECT_FALSE(model->text->token_table().grad().defined());  // the caption tower has no part in it
}

TEST(SameConcept, RowsWithoutAnotherPictureAreFree) {
  const auto model = tiny_model();
  Batch batch = tiny_batch(5, 6);
  batch.concept_id = batch.image_id = 100 + torch::tensor(std::vector<std::int64_t>{0, 1, 2, 3, 4});
  EXPECT_EQ(loss_of("same_concept", *model, batch).loss.item<double>(), 0);
}

TEST(ReadObjectives, DefaultsAndSchedules) {
  const auto specs = read(
      "[[objective]]\nkind = \"info_nce\"\n"
      "[[objective]]\nkind = \"same_concept\"\nname = \"concepts\"\nweight = [0.0, 2.0]\nfrom = 0.25\nuntil = "
      "0.75\n");
  ASSERT_EQ(specs.size(), 2u);
  EXPECT_EQ(specs[0].name, "info_nce");
  EXPECT_EQ(specs[0].weight({0, 100}), 1);
  EXPECT_EQ(specs[0].weight({99, 100}), 1);
  EXPECT_EQ(specs[0].weight({100, 100}), 1);
  EXPECT_EQ(specs[1].name, "concepts");
  EXPECT_EQ(specs[1].weight({24, 100}), 0);
  EXPECT_DOUBLE_EQ(specs[1].weight({25, 100}), 0.5);
  EXPECT_DOUBLE_EQ(specs[1].weight({50, 100}), 1);
  EXPECT_EQ(specs[1].weight({75, 100}), 0);
}

TEST(ReadObjectives, SomeObjectiveIsAlwaysActive) {
  const auto two = [](const std::string& first, const std::string& second) {
    return read_message("[[objective]]\nkind = \"info_nce\"\n" + first +
                        "[[objective]]\nkind = \"same_concept\"\n" + second);
  };
  EXPECT_EQ(two("until = 0.5\n", "from = 0.5\n"), "no error");
  EXPECT_EQ(two("weight = [1, 0]\n", "weight = [0, 1]\n"), "no error");
  EXPECT_THAT(two("until = 0.4\n", "from = 0.5\n"), HasSubstr("no objective has a weight at 0.4 of the run"));
  EXPECT_THAT(two("from = 0.1\n", "from = 0.2\n"), HasSubstr("no objective has a weight at 0 of the run"));
  EXPECT_THAT(two("weight = [0, 1]\n", "weight = 0\n"), HasSubstr("no objective has a weight at 0 of the run"));
}

TEST(ReadObjectives, AWeightMayBeANumber) {
  EXPECT_EQ(read("[[objective]]\nkind = \"sigmoid\"\nweight = 0.3\n")[0].weight({50, 100}), 0.3);
}

TEST(ReadObjectives, ErrorsNamePlaceAndRemedy) {
  EXPECT_THAT(read_message("seed = 1\n"), HasSubstr("[[objective]]"));
  EXPECT_THAT(read_message("[[objective]]\nweight = 1\n"),
              AllOf(HasSubstr("r.toml:1"), HasSubstr("kind"), HasSubstr("info_nce")));
  EXPECT_THAT(
      read_message("[[objective]]\nkind = \"info_nse\"\n"),
      AllOf(HasSubstr("r.toml:2"), HasSubstr("info_nse"), HasSubstr("info_nce"), HasSubstr("caption_tokens")));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\n[[objective]]\nkind = \"info_nce\"\n"),
              AllOf(HasSubstr("r.toml:4"), HasSubstr("two objectives are called 'info_nce'")));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\nname = \"a.b\"\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("a.b")));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\nweight = [1, 2, 3]\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("[start, end]")));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\nfrom = 0.5\nuntil = 0.5\n"),
              HasSubstr("r.toml:4"));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\nimage_to_text = 0\ntext_to_image = 0\n"),
              HasSubstr("r.toml:3"));
  EXPECT_THAT(read_message("[[objective]]\nkind = \"info_nce\"\npositives = \"all\"\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("each"), HasSubstr("average"), HasSubstr("mask")));
}

}  // namespace
}  // namespace duet
