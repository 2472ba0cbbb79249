// What --corrupt takes. The front links no datasets: that these are kCorruptions (datasets/corruption.h) is
// asserted by the engine.
#pragma once
#include <array>
#include <string_view>

namespace duet {

inline constexpr std::array<std::string_view, 10> kCorruptionNames = {
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "motion_blur",
    "zoom_blur",      "brightness", "contrast",      "pixelate",     "jpeg"};

}  // namespace duet
