// The model inside a bundle: the caption side as the front reads it (encoders/plain), and beside it
// image.safetensors with the picture side, so that a bundle answers picture queries without its run.
#pragma once
#include <filesystem>
#include <memory>

#include "encoders/model.h"
#include "run/recipe.h"
#include "text/tokenizer.h"

namespace duet {

void save_bundle_model(Model& model, const Tokenizer& tokenizer, const Recipe& recipe,
                       const std::filesystem::path& folder);

struct BundleModel {
  Recipe recipe;
  std::shared_ptr<Model> model;  // in eval mode, on the CPU
};
BundleModel load_bundle_model(const std::filesystem::path& folder);  // Error(artifact)

}  // namespace duet
