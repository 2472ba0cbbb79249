// image_text_matching: which couples it asks, and what it prefers.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "decoder_objectives.h"

namespace duet {
namespace {

using testing::computed;
using testing::golden;
using testing::golden_batch;
using testing::make_objective;
using testing::metric;
using testing::tiny_batch;
using testing::tiny_model;

TEST(ImageTextMatching, ABatchOfOneConceptHasMatchesAlone) {
  const auto model = tiny_model();
  const auto objective = make_objective("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model);
  Batch batch = tiny_batch(4, 3);
  batch.concept_id.fill_(5);
  const auto terms = computed(*objective, *model, batch);
  EXPECT_EQ(metric(terms, "matching"), 1);
  EXPECT_EQ(metric(terms, "preferred"), 0);
  terms.loss.backward();
  EXPECT_TRUE(std::isfinite(terms.loss.item<double>()));
  for (const auto& parameter : objective->parameters())
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>());
}

TEST(ImageTextMatching, AsksOneNegativeOfEachSide) {
  const auto model = tiny_model();
  const auto objective = make_objective("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model);
  EXPECT_NEAR(metric(computed(*objective, *model, tiny_batch(6, 3)), "matching"), 6.0 / 18, 1e-6);
  EXPECT_NEAR(metric(computed(*objective, *model, tiny_batch(6, 3, 2)), "matching"), 12.0 / 30, 1e-6);
}

TEST(ImageTextMatching, TheHardestIsAskedInTrainingAloneUnlessAnyWillDo) {
  const auto model = tiny_model();
  {
    const torch::NoGradGuard no_grad;
    model->named_parameters()["spaces.joint.logit_scale"].fill_(12);  // the most alike is drawn, always
  }
  const auto is_always_one = [&](const std::string& keys, bool trains) {
    const auto objective = make_objective("kind = \"image_text_matching\"\ndecoder_heads = 2\n" + keys, *model);
    objective->train(trains);
    std::set<double> losses;
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      EncodedBatch batch(*model, tiny_batch(8, 3), {});
      torch::manual_seed(seed);
      losses.insert(objective->compute(batch, {}).loss.item<double>());
    }
    return losses.size() == 1;
  };
  EXPECT_TRUE(is_always_one("", true));
  EXPECT_FALSE(is_always_one("", false));
  EXPECT_FALSE(is_always_one("negatives = \"any\"\n", true));
}

TEST(ImageTextMatching, PrefersWhatPlainPyTorchPrefers) {
  const auto model = tiny_model();
  golden().set(*model, "tower/", "");
  const auto objective =
      make_objective("kind = \"image_text_matching\"\ndecoder_heads = 2\ndecoder_layers = 1\n", *model);
  golden().set(*objective, "image_text_matching/head/", "objective.");
  EXPECT_NEAR(metric(computed(*objective, *model, golden_batch()), "preferred"),
              golden().at("image_text_matching/preferred").item<double>(), 1e-6);
  const torch::NoGradGuard no_grad;
  objective->named_parameters()["head.weight"].zero_();  // the same answer to all
  EXPECT_EQ(metric(computed(*objective, *model, golden_batch()), "preferred"), .5);
}

TEST(ImageTextMatching, SharesItsPassesWithAGradientForOthers) {
  const auto model = tiny_model();
  const auto matching = make_objective("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model),
             info_nce = make_objective("kind = \"info_nce\"\n", *model);
  EncodedBatch encoded(*model, tiny_batch(5, 3), {});
  computed(*matching, encoded);
  info_nce->compute(encoded, {}).loss.backward();
  EXPECT_EQ(encoded.encoder_passes(), 2);
  EXPECT_TRUE(model->named_parameters()["image.kernel"].grad().defined());
}

}  // namespace
}  // namespace duet
