// Sentences around a class name, {} standing for it, as published.
#pragma once
#include <span>
#include <string_view>

namespace duet {

// The 80 that CLIP's zero-shot scores on ImageNet are the mean of (Radford et al. 2021, section 3.1.4; the
// notebook Prompt_Engineering_for_ImageNet of openai/CLIP).
std::span<const std::string_view> openai_templates();

}  // namespace duet
