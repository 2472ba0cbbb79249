// Small tasks on drawn shapes, for methods that train a tower: which colour a picture or a sentence has, and
// whether two sentences speak of the same one.
#pragma once
#include <string>
#include <vector>

#include "adaptation/method.h"

namespace duet::testing {

inline constexpr const char* kPictureTower =
    "[image]\nkind = \"convnet\"\nsize = 24\nstem = 8\nwidths = [16, 32]\nmap_width = 8\n";
inline constexpr const char* kVit =
    "[image]\nkind = \"vit\"\nsize = 24\npatch = 6\nwidth = 24\nlayers = 2\nheads = 2\n";
inline constexpr const char* kTextTower =
    "[text]\nkind = \"transformer\"\nwidth = 16\nlayers = 2\nheads = 2\ncontext = 24\n";
// Of pictures and texts, with a space between them.
inline std::string both_towers() {
  return std::string(kPictureTower) + kTextTower + "[[space]]\ndimension = 12\n";
}
enum class Items { pictures, texts, pairs };

// An untrained model of the towers, items of all classes, `shots` of each to learn from.
struct DrawnTask {
  DrawnTask(const std::string& towers, Items items, std::int64_t shots, std::int64_t classes = 3);
  DrawnTask(const DrawnTask&) = delete;
  DrawnTask& operator=(const DrawnTask&) = delete;

  SavedModel saved;
  Labelled data;
  AdaptationTask task;
  Part support, validation, asked;  // asked: without labels
  torch::Tensor answers;            // of `asked`
  TensorMap before;                 // the model's tensors, copied

  Part part_of(const std::vector<std::int64_t>& rows) const;
};

}  // namespace duet::testing
