// Labelled items as a tower takes them, pixels or ids, and what a head then sees of them: the one way for
// training, validation and answers, so that all three agree.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "adaptation/method.h"

namespace duet {

// Some items. One of images and ids is there; of pairs of texts the second ones too.
struct TowerInput {
  torch::Tensor images = {};                                               // [n, 3, S, S] uint8
  torch::Tensor ids = {}, valid = {}, second_ids = {}, second_valid = {};  // [n, L]
};

// The part's pixels, as the tower takes them, are few enough to be held.
bool fits_in_memory(const EmbedSetting& setting, const Part& part);

// "image" or "text": where the names of the tower's parameters begin.
std::string_view tower_of(const Labelled& data);

// What a head sees, [n, head_width], fp32, with gradients: the tower's pooled feature ("tower"; of a pair
// [a, b, |a - b|, a * b]) or the retrieval embedding ("rows", which pairs have none of).
torch::Tensor head_input(const EmbedSetting& setting, const TowerInput& items, std::string_view input);
std::int64_t head_width(const Model& model, const Labelled& data, std::string_view input);

// Ids of texts, rows of `data`.
TowerInput text_input(const EmbedSetting& setting, const Labelled& data, const std::vector<std::int64_t>& rows);

// Items of a part in their order, in batches; none random.
class TowerInputs {
 public:
  TowerInputs(const EmbedSetting& setting, const Part& part, bool keep);
  // head_input of all, no gradients, on the CPU. The setting's model may change between calls.
  torch::Tensor head_inputs(const EmbedSetting& setting, std::string_view input) const;

 private:
  void for_each(const EmbedSetting& setting, const std::function<void(const TowerInput&)>& visit) const;

  const Part& part_;
  std::vector<TowerInput> kept_;  // when they are asked for often; empty: read each time
};

}  // namespace duet
