// Named random views of a picture. Every draw is a function of the Random that is handed in. Crop: Szegedy et
// al. 2015 with torchvision's ten attempts; colour jitter, grayscale and blur as in SimCLR (Chen et al. 2020).
#pragma once
#include <cstdint>
#include <string>

#include "core/config.h"
#include "core/random.h"
#include "datasets/image.h"

namespace duet {

struct Augmentation {
  double crop_low = 1.0, crop_high = 1.0;             // area share of the random resized crop; 1, 1: none
  double aspect_low = 0.75, aspect_high = 4.0 / 3.0;  // of the crop, which is then made square
  double flip = 0;      // probability of a horizontal flip; off: arrows and letters
  double rotation = 0;  // degrees, uniform in +-rotation; what lies outside the picture is white
  // Colour jitter: factors uniform in 1 +- value, applied in this order as one matrix (no clamping in between);
  // hue turns by +-hue of a full circle in the YIQ plane, which keeps the luma (HSV's hue does not).
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  double jitter = 1.0;                     // probability that the jitter is applied
  double grayscale = 0;                    // probability
  double blur = 0;                         // probability of a Gaussian blur
  double blur_low = 0.1, blur_high = 2.0;  // its sigma in pixels of the view
  bool operator==(const Augmentation&) const = default;
};

// One [views.NAME] table: {size, count, crop = [low, high], aspect = [low, high], flip, rotation, brightness,
// contrast, saturation, hue, jitter, grayscale, blur, blur_sigma = [low, high]}. Size 0: the recipe's picture
// size.
struct ViewSpec {
  std::string name = "main";
  Augmentation augmentation;
  int size = 0;
  int count = 1;  // copies drawn independently
};
ViewSpec read_view(Config& config, std::string name);

// `image` any size; result size x size. With no augmentation set this is resize_image. Crops are taken from the
// picture for "crop" and "squash"; for "pad" they have a share of the white-padded square, but never lie beside
// the picture. Geometry, colour and blur draw from generators of their own: setting one changes no draw of the
// others.
Image augment(const Image& image, const Augmentation& augmentation, const Preprocessing& preprocessing,
              int size, Random& random);
// The same into pixels[size, size, 3], a picture's place in a batch.
void augment_into(std::uint8_t* pixels, const Image& image, const Augmentation& augmentation,
                  const Preprocessing& preprocessing, int size, Random& random);

}  // namespace duet
