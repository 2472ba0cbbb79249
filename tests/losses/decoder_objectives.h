// What the tests of captioning, denoising, image_text_matching and next_sentence share: golden values
// (golden/make_decoder_objectives.py), a model of texts alone, and objectives computed from one seed.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/config.h"
#include "golden_values.h"
#include "losses/encoded_batch.h"
#include "losses/objective.h"
#include "tests/support/failure.h"
#include "tiny_model.h"

namespace duet::testing {

inline constexpr std::uint64_t kSeed = 11;  // as the golden values were drawn

inline const GoldenValues& golden() {
  static const GoldenValues values("decoder_objectives.safetensors");
  return values;
}

inline Batch golden_batch() {
  Batch batch;
  batch.source = "pairs";
  batch.views["main"] = golden().at("batch/pictures").contiguous(at::MemoryFormat::ChannelsLast);
  batch.tokens = golden().at("batch/tokens");
  batch.valid = golden().at("batch/valid").to(torch::kBool);
  batch.follows = golden().at("batch/follows");
  batch.follows_valid = golden().at("batch/follows_valid").to(torch::kBool);
  batch.image_id = golden().at("batch/image_id");
  batch.caption_id = golden().at("batch/caption_id");
  batch.concept_id = golden().at("batch/concept_id");
  batch.rows = {0, 1, 2, 3, 4};
  return batch;
}

// A model of texts alone; `keys` of [text].
inline const std::string kReadsTwo = "causal = false\npool = \"cls\"\ncontext = 10\nsegments = 2\n";
inline std::shared_ptr<Model> reader(const std::string& keys) {
  Config recipe = Config::parse("[text]\nwidth = 8\nheads = 2\nlayers = 1\n" + keys, "m.toml");
  return std::make_shared<Model>(read_model(recipe), kVocabulary, 1);
}

inline LossTerms computed(Objective& objective, EncodedBatch& batch) {
  torch::manual_seed(kSeed);
  return objective.compute(batch, {});
}

inline LossTerms computed(Objective& objective, Model& model, const Batch& batch) {
  EncodedBatch encoded(model, batch, {});
  return computed(objective, encoded);
}

inline double loss_of(Objective& objective, Model& model, const Batch& batch) {
  return computed(objective, model, batch).loss.item<double>();
}

inline double metric(const LossTerms& terms, const std::string& name) {
  for (const auto& [key, value] : terms.metrics) {
    if (key == name) return value.item<double>();
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

// Of a table that is refused as wrong use.
inline std::string refusal(const std::string& table, Model& model) {
  const Failure failure = failure_of([&] { make_objective(table, model); });
  EXPECT_EQ(failure.exit, Exit::usage);
  return failure.text;
}

}  // namespace duet::testing
