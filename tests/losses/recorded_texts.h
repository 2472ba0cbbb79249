// Texts by the ids of their pieces, and a text tower that notes which ids it was given to read.
#pragma once
#include <ATen/ops/embedding.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "encoders/model.h"
#include "tensors/batch.h"
#include "tiny_model.h"

namespace duet::testing {

inline constexpr std::int64_t kBosId = kPadId + kBos, kEosId = kPadId + kEos, kSepId = kPadId + kSep,
                              kClsId = kPadId + kCls;

using Ids = std::vector<std::int64_t>;

inline Batch texts(const std::vector<Ids>& rows, std::int64_t length) {
  Batch batch;
  const auto count = static_cast<std::int64_t>(rows.size());
  batch.tokens = torch::full({count, length}, kPadId, torch::kLong);
  for (std::int64_t row = 0; row < count; ++row) {
    const Ids& ids = rows[static_cast<std::size_t>(row)];
    batch.tokens[row]
        .slice(0, 0, static_cast<std::int64_t>(ids.size()))
        .copy_(torch::tensor(ids, torch::kLong));
    batch.rows.push_back(row);
  }
  batch.valid = batch.tokens != kPadId;
  batch.image_id = 1000 + torch::arange(count, torch::kLong);
  batch.caption_id = 2000 + torch::arange(count, torch::kLong);
  batch.concept_id = 3000 + torch::arange(count, torch::kLong);
  return batch;
}

// A text tower that notes what it reads.
class Recorder : public TextEncoder {
 public:
  explicit Recorder(const Init& init) {
    table_ = register_parameter("table", init.normal("table", {kVocabulary, 8}, 1));
    register_parameter("segments", init.normal("segments", {2, 8}, 1));
  }
  torch::Tensor embed(const torch::Tensor& read, const torch::Tensor& of_segments) override {
    ids = read;
    segments = of_segments;
    return at::embedding(table_, read);
  }
  torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor& read, bool was_causal) override {
    valid = read;
    causal = was_causal;
    return tokens;
  }
  torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor&) override { return tokens.select(1, 0); }
  std::int64_t width() const override { return 8; }
  torch::Tensor token_table() const override { return table_; }

  torch::Tensor ids, valid, segments;
  bool causal = false;

 private:
  torch::Tensor table_;
};

struct Recorded {
  explicit Recorded(TextFormat format) {
    ModelSpec spec;
    spec.text.make = [this](const Init& init, std::int64_t) {
      return tower = std::make_shared<Recorder>(init);
    };
    spec.text.format = format;
    spec.text.width = 8;
    spec.text.mixes_tokens = true;
    spec.text.segments = 2;
    model = std::make_shared<Model>(spec, kVocabulary, 1);
  }
  Ids row(std::int64_t at) const {  // what was read, without padding
    const auto read = tower->ids[at].masked_select(tower->valid[at]);
    return {read.const_data_ptr<std::int64_t>(), read.const_data_ptr<std::int64_t>() + read.numel()};
  }
  std::shared_ptr<Recorder> tower;
  std::shared_ptr<Model> model;
};

}  // namespace duet::testing
