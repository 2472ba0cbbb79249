// Pictures and captions of a source to rows of retrieval embeddings.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "datasets/loader.h"
#include "datasets/source.h"
#include "encoders/model.h"
#include "run/saved_model.h"
#include "tensors/device.h"
#include "text/tokenizer.h"

namespace duet {

struct EmbedSetting {
  Model* model = nullptr;  // in eval mode
  const Tokenizer* tokenizer = nullptr;
  TextFormat text_format;
  bool pad_to_context = false;
  Preprocessing preprocessing;
  torch::Device device{torch::kCPU};
  Precision precision = Precision::fp32;
  std::int64_t batch = 256;
  int workers = 1;
  std::int64_t max_pixels = 100'000'000;
  BadPictureLimit bad_pictures;
  bool progress = false;  // a bar on stderr
};

EmbedSetting embed_setting_of(const SavedModel& saved);  // as it was trained; `saved` outlives it

using BadRows = std::vector<std::pair<std::int64_t, std::string>>;  // row, why

struct EmbeddedImages {
  torch::Tensor rows;      // [N, D] fp32 on the CPU; no columns for a tower alone
  torch::Tensor features;  // [N, Model::feature_width()] when asked for
  BadRows bad;             // unreadable pictures: their embedding means nothing
};
EmbeddedImages embed_images(const EmbedSetting& setting, const Source& source, bool keep_features = false);
// The other rows, ascending.
std::vector<std::int64_t> readable_rows(const Source& source, const BadRows& bad);
// "3 of 100 pictures cannot be read and are <fate>:" and the first ten, a line each.
std::string bad_picture_list(const std::vector<std::string>& bad, std::size_t pictures, std::string_view fate);
// The caption tower's pooled features, [N, width] fp32 on the CPU.
torch::Tensor text_features(const EmbedSetting& setting, const std::vector<std::string>& texts);
torch::Tensor embed_texts(const EmbedSetting& setting,
                          const std::vector<std::string>& texts);  // [N, D] fp32 on the CPU

}  // namespace duet
