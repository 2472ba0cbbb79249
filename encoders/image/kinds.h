// The picture towers that image_encoder.cpp lists.
#pragma once
#include "encoders/image_encoder.h"

namespace duet {

// One whole number a stage, low..high; at least one.
std::vector<std::int64_t> read_integers(Config& config, std::string_view key,
                                        const std::vector<std::int64_t>& fallback, std::int64_t low,
                                        std::int64_t high);

ImageEncoderSpec read_vit(Config& config, std::int64_t image_size);
ImageEncoderSpec read_resnet(Config& config, std::int64_t image_size);
ImageEncoderSpec read_convnet(Config& config, std::int64_t image_size);

}  // namespace duet
