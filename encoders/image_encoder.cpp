#include "encoders/image_encoder.h"

#include <cmath>

#include "encoders/image/kinds.h"

namespace duet {

std::vector<std::int64_t> read_integers(Config& config, std::string_view key,
                                        const std::vector<std::int64_t>& fallback, std::int64_t low,
                                        std::int64_t high) {
  std::vector<double> defaults;
  for (const std::int64_t value : fallback) defaults.push_back(static_cast<double>(value));
  std::vector<std::int64_t> values;
  for (const double value :
       config.numbers(key, defaults, {static_cast<double>(low), static_cast<double>(high)})) {
    if (value != std::floor(value)) config.fail(key, "not a whole number", "give one whole number a stage");
    values.push_back(static_cast<std::int64_t>(value));
  }
  if (values.empty()) config.fail(key, "the list is empty", "give one whole number a stage");
  return values;
}

const std::vector<ImageEncoderKind>& image_encoder_kinds() {
  static const std::vector<ImageEncoderKind> kinds = {
      {"convnet", read_convnet},
      {"resnet", read_resnet},
      {"vit", read_vit},
  };
  return kinds;
}

ImageEncoderSpec read_image_encoder(Config& config, std::int64_t image_size) {
  std::vector<std::string> names;
  for (const auto& kind : image_encoder_kinds()) names.emplace_back(kind.name);
  const std::string chosen = config.choice("kind", names.front(), names);
  for (const auto& kind : image_encoder_kinds()) {
    if (kind.name == chosen) return kind.read(config, image_size);
  }
  config.fail("kind", "unknown kind");
}

}  // namespace duet
