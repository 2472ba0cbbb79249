// What a step sees: pictures by view, token ids, and who is whose positive. Made by datasets/loader.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace duet {

struct Batch {
  std::string source;  // name of the data source: "pairs" unless a recipe says otherwise
  std::map<std::string, torch::Tensor> views;  // view name -> [count*B, 3, H, W] uint8 in channels_last;
                                               // copy-major: copy c of row b is row c*B + b
  torch::Tensor tokens;                        // [B, L] int64, padded with [PAD]
  torch::Tensor valid;                         // [B, L] bool, true where no padding
  // What stands next to each caption, [B, L'] as above: the following sentence of its document, or another
  // caption of its picture; a row without any valid token has none. Undefined unless an objective asks.
  torch::Tensor follows, follows_valid;
  torch::Tensor image_id, caption_id, concept_id;  // [B] int64 hashes; equal ids are positives of each other.
                                                   // A pair without a concept gets its image_id as concept_id.
  std::vector<std::int64_t> rows;                  // positions in the source, [B]

  std::int64_t size() const { return static_cast<std::int64_t>(rows.size()); }
  Batch to(torch::Device device) const;
  Batch slice(std::int64_t begin, std::int64_t end) const;  // rows begin..end-1, all views and copies
};

}  // namespace duet
