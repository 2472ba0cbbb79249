#include "training/take_over.h"

#include "core/format.h"
#include "core/log.h"
#include "run/saved_model.h"

namespace duet {
namespace {

void copy_tower(torch::nn::Module& tower, const torch::nn::Module& from, const std::string& run,
                const std::string& name) {
  copy_into(tensors_of(tower), tensors_of(from), cat(run, ", its ", name, " tower"));
  log_info(cat("the ", name, " tower starts as that of ", run));
}

}  // namespace

void take_over_towers(const Recipe& recipe, Model& model) {
  const torch::NoGradGuard no_grad;
  if (const std::string& run = recipe.train.init_image; !run.empty()) {
    const SavedModel saved = load_saved_model(run, "best", "cpu");
    saved.pictures();
    const Preprocessing &then = saved.recipe.preprocessing, &now = recipe.preprocessing;
    if (then.resize != now.resize || then.mean != now.mean || then.std != now.std)
      log_warning(
          cat(run, " saw pictures prepared in another way: set image.resize, image.mean and image.std as in ",
              run, "/recipe.toml"));
    copy_tower(*model.image, *saved.model->image, run, "picture");
  }
  if (const std::string& run = recipe.train.init_text; !run.empty()) {
    const SavedModel saved = load_saved_model(run, "best", "cpu");
    saved.texts();
    copy_tower(*model.text, *saved.model->text, run, "caption");
  }
}

Tokenizer taken_over_tokenizer(const Recipe& recipe) {
  return load_saved_model(recipe.train.init_text, "best", "cpu").texts();
}

}  // namespace duet
