#include "evaluation/features.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/checksum.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "datasets/loader.h"
#include "evaluation/tensor_cache.h"

namespace duet {
namespace {

constexpr int kVersion = 1;  // of what is computed; another one makes all that is kept worthless

std::vector<std::string> texts_of(const Labelled& items, std::size_t which) {
  std::vector<std::string> texts;
  for (const Pair& pair : items.source.pairs) texts.push_back(pair.captions.at(which));
  return texts;
}

Features of_pictures(const EmbedSetting& setting, const Labelled& items) {
  const EmbeddedImages images = embed_images(setting, items.source, true);
  Features features;
  // Behind the tower's own stand the pixels that a space of word pieces sees.
  features.tower = images.features.narrow(1, 0, setting.model->image->width()).contiguous();
  if (images.rows.size(1) > 0) features.rows = images.rows;
  features.bad = images.bad;
  return features;
}

Features of_texts(const EmbedSetting& setting, const Labelled& items) {
  Features features;
  const std::vector<std::string> first = texts_of(items, 0);
  features.tower = text_features(setting, first);
  if (holds_pairs(items)) {
    const torch::Tensor a = features.tower, b = text_features(setting, texts_of(items, 1));
    features.tower = at::cat({a, b, (a - b).abs(), a * b}, 1);
  } else if (setting.model->retrieval_dimension() > 0) {
    features.rows = embed_texts(setting, first);
  }
  return features;
}

Features computed(const EmbedSetting& setting, const SavedModel& saved, const Labelled& items) {
  if (items.texts)
    saved.texts();
  else
    saved.pictures();
  Features features = items.texts ? of_texts(setting, items) : of_pictures(setting, items);
  features.tower = features.tower.to(torch::kFloat32).contiguous();
  // Unit length to the last bit that fp32 has, whatever precision and weighted spaces left of it.
  if (features.rows.defined())
    features.rows = (features.rows / features.rows.norm(2, 1, true).clamp_min(1e-12)).contiguous();
  return features;
}

// All that the numbers follow from.
std::string key_of(const EmbedSetting& setting, const SavedModel& saved, const Labelled& items) {
  const Preprocessing& preprocessing = setting.preprocessing;
  const TextFormat& format = setting.text_format;
  const nlohmann::json facts = {
      {"version", kVersion},
      {"model", saved.identity},
      {"weights", setting.model->weights()},
      {"device", c10::DeviceTypeName(setting.device.type())},
      {"precision", name_of(setting.precision)},
      {"texts", items.texts},
      {"preprocessing", {preprocessing.size, preprocessing.resize, preprocessing.mean, preprocessing.std}},
      {"max_pixels", setting.max_pixels},
      {"text_format", {format.context, format.bos, format.eos, format.cls, setting.pad_to_context}},
      {"contents", checksum(joined(items.contents, "\n"))}};
  return checksum(facts.dump());
}

// The system's reasons may be in any encoding.
std::string text_of(const BadRows& bad) {
  return nlohmann::json(bad).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

torch::Tensor as_bytes(const std::string& text) {
  torch::Tensor bytes = at::empty({static_cast<std::int64_t>(text.size())}, torch::kUInt8);
  if (!text.empty()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes;
}

TensorMap kept(const Features& features) {
  TensorMap tensors{{"tower", features.tower}, {"bad", as_bytes(text_of(features.bad))}};
  if (features.rows.defined()) tensors["rows"] = features.rows;
  return tensors;
}

Features restored(TensorMap tensors) {
  Features features{.tower = tensors.at("tower"), .rows = {}, .bad = {}};
  if (const auto rows = tensors.find("rows"); rows != tensors.end()) features.rows = rows->second;
  const torch::Tensor& bytes = tensors.at("bad");
  features.bad = nlohmann::json::parse(std::string(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()))
                     .get<BadRows>();
  return features;
}

}  // namespace

Features features_of(const EmbedSetting& setting, const SavedModel& saved, const Labelled& items,
                     const std::filesystem::path& cache) {
  // A model that was trained further, in memory, is not the one that `saved` names.
  const bool is_saved = setting.model == saved.model.get(),
             has_contents = std::ssize(items.contents) == items.size();
  const bool caches = !cache.empty() && is_saved && has_contents;
  if (!caches) return computed(setting, saved, items);
  check_outside_sealed(cache);
  const std::filesystem::path file = cache / cat("features-", key_of(setting, saved, items), ".safetensors");
  if (auto tensors = read_cached(file)) {
    log_debug(cat(file.string(), ": features are taken from here"));
    Features features = restored(std::move(*tensors));
    // The limit is the caller's, not that of who computed them.
    check_bad_pictures(items.source, std::map(features.bad.begin(), features.bad.end()), setting.bad_pictures);
    return features;
  }
  Features features = computed(setting, saved, items);
  write_cached(file, kept(features));
  return features;
}

}  // namespace duet
