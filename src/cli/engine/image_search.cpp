#include "cli/engine.h"
#include "cli/search.h"
#include "core/error.h"
#include "core/format.h"
#include "datasets/image.h"
#include "retrieval/bundle.h"
#include "run/bundle_model.h"

namespace duet {
namespace {

torch::Tensor picture_tensor(const std::string& path, const Recipe& recipe) {
  try {
    const Image image = resize_image(load_image(path, {.enough = 2 * recipe.preprocessing.size,
                                                       .max_pixels = recipe.data.loader.max_pixels}),
                                     recipe.preprocessing);
    return torch::tensor(c10::ArrayRef<std::uint8_t>(image.rgb))
        .view({1, image.height, image.width, 3})
        .permute({0, 3, 1, 2});
  } catch (const BadImage& bad) {
    fail(Exit::data, path, bad.what());
  }
}

}  // namespace

int run_image_search(const SearchOptions& options) {
  const Bundle bundle = Bundle::open(find_bundle(options.bundle), true, options.root);
  const BundleModel saved = load_bundle_model(bundle.model_folder());
  torch::NoGradGuard no_grad;
  const torch::Tensor feature = saved.model->image_features(picture_tensor(options.image, saved.recipe));
  const torch::Tensor query = saved.model->retrieval_of_image_features(feature).contiguous();
  return search_and_show(bundle, {query.data_ptr<float>(), static_cast<std::size_t>(query.numel())}, options);
}

}  // namespace duet
