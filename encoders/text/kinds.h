// The caption towers that text_encoder.cpp lists.
#pragma once
#include "encoders/text_encoder.h"

namespace duet {

TextEncoderSpec read_transformer(Config& config);
TextEncoderSpec read_bag_of_tokens(Config& config);

}  // namespace duet
