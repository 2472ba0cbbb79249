// Whole objectives on the tiny towers against plain PyTorch (golden/make_objectives.py): loss, and gradients of
// towers and heads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden_values.h"
#include "losses/objective.h"
#include "tiny_model.h"

namespace duet {
namespace {

using testing::GoldenValues;
using testing::tiny_model;

constexpr std::uint64_t kSeed = 11;

const GoldenValues& golden() {
  static const GoldenValues values("objectives.safetensors");
  return values;
}

CorpusStatistics statistics() {
  CorpusStatistics counted;
  counted.captions = 4;
  counted.counts = counted.document_frequency = golden().at("batch/counts");
  counted.word_start = torch::ones_like(counted.counts, torch::kBool);
  return counted;
}

Batch batch(const std::string& pictures) {
  Batch made;
  made.source = "pairs";
  made.views["main"] = golden().at("batch/" + pictures).contiguous(at::MemoryFormat::ChannelsLast);
  made.tokens = golden().at("batch/tokens");
  made.valid = golden().at("batch/valid").to(torch::kBool);
  made.rows = {0, 1, 2, 3};
  made.image_id = made.caption_id = made.concept_id = torch::tensor({5, 6, 7, 8}, torch::kLong);
  return made;
}

struct Case {
  std::string kind, keys, pictures;
  int gradients;
  std::string variant = {};  // in the golden file; empty: the kind
  const std::string& name() const { return variant.empty() ? kind : variant; }
};

class WholeObjective : public ::testing::TestWithParam<Case> {};

TEST_P(WholeObjective, EqualsPlainPyTorch) {
  const Case& one = GetParam();
  const std::string& name = one.name();
  const auto model = tiny_model();
  golden().set(*model, "tower/", "");
  const ObjectiveSpec spec = testing::read_objective("kind = \"" + one.kind + "\"\n" + one.keys, model->spec());
  const CorpusStatistics counted = statistics();
  const auto objective = spec.make({.model = model.get(), .statistics = &counted, .init = Init(1)});
  golden().set(*objective, name + "/head/", "objective.");
  for (const auto& item : objective->named_buffers()) {
    const std::string of_batch = "batch/" + item.key();
    if (golden().contains(of_batch)) item.value().copy_(golden().at(of_batch));
  }
  EncodedBatch encoded(*model, batch(one.pictures), {});
  torch::manual_seed(kSeed);
  const LossTerms terms = objective->compute(encoded, {});
  EXPECT_NEAR(terms.loss.item<double>(), golden().at(name + "/loss").item<double>(), 1e-5);
  terms.loss.backward();
  EXPECT_EQ(
      golden().expect_gradients(*model, name, "") + golden().expect_gradients(*objective, name, "objective."),
      one.gradients);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, WholeObjective,
    ::testing::Values(
        Case{"simclr", "view = \"main\"\nhead_hidden = 7\nhead_dimension = 5\n", "two_views", 8},
        Case{"rotation", "", "pictures", 4}, Case{"inpainting", "", "pictures", 6},
        Case{"jigsaw", "permutations = 3\njitter = 0.5\ntile_size = 8\ntile_width = 4\nhead_hidden = 6\n",
             "pictures", 10},
        Case{"autoencoder", "bottleneck = 5\ndecoder_width = 4\n", "pictures", 12},
        Case{"autoencoder", "bottleneck = 5\ndecoder_width = 4\nvariational = true\n", "pictures", 12,
             "variational"},
        Case{"masked_lm", "mask_share = 0.3\nmask_token = 0.5\nmask_random = 0.3\n", "pictures", 6},
        Case{"autoregressive_lm", "", "pictures", 6}),
    [](const auto& one) { return one.param.name(); });

}  // namespace
}  // namespace duet
