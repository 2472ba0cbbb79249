#include "encoders/text_encoder.h"

#include "encoders/text/kinds.h"

namespace duet {

void TextEncoder::set_seen(const torch::Tensor& seen) {
  torch::NoGradGuard no_grad;
  torch::Tensor table = token_table();
  TORCH_CHECK(seen.dim() == 1 && seen.size(0) == table.size(0), "set_seen: expected [", table.size(0), "]");
  torch::Tensor keep = seen.to(table.options()).clone();
  keep.slice(0, std::max<std::int64_t>(0, keep.size(0) - kSpecialCount)).fill_(1);
  table.mul_(keep.unsqueeze(1));
}

const std::vector<TextEncoderKind>& text_encoder_kinds() {
  static const std::vector<TextEncoderKind> kinds = {
      {"transformer", read_transformer},
      {"bag_of_tokens", read_bag_of_tokens},
  };
  return kinds;
}

TextEncoderSpec read_text_encoder(Config& config) {
  std::vector<std::string> names;
  for (const auto& kind : text_encoder_kinds()) names.emplace_back(kind.name);
  const std::string chosen = config.choice("kind", names.front(), names);
  for (const auto& kind : text_encoder_kinds()) {
    if (kind.name == chosen) return kind.read(config);
  }
  config.fail("kind", "unknown kind");
}

}  // namespace duet
