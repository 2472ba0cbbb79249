// Pictures spoilt as cameras, storage and transmission spoil them: ten of the fifteen corruptions of ImageNet-C
// (Hendrycks and Dietterich 2019), each in five strengths. Left out are glass blur, snow, frost, fog and
// elastic transforms, which at small size hide what a picture shows.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "datasets/image.h"

namespace duet {

inline constexpr int kStrengths = 5;
inline constexpr std::array<std::string_view, 10> kCorruptions = {
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "motion_blur",
    "zoom_blur",      "brightness", "contrast",      "pixelate",     "jpeg"};

// `image` as the model sees it, at its size. Strengths are those that the authors publish for pictures of 64 x
// 64 (Tiny-ImageNet-C), where fewer pixels average the noise out; lengths, in pixels there, grow and shrink
// with the longer side. What is random follows from the seed, the picture's own pixels, the kind and the
// strength. Error(usage): an unknown kind, a strength outside 1 .. kStrengths.
Image corrupted(const Image& image, std::string_view kind, int strength, std::uint64_t seed = 1);

}  // namespace duet
