// A program outside duet's tree: makes a model from a recipe, embeds two pictures, and writes the caption side
// into the folder argv[1] for query_consumer.
#include <dlfcn.h>

#include <iostream>

#include "encoders/export.h"
#include "encoders/model.h"

int main(int, char** argv) {
  const char* text =
      "image = {kind = 'convnet', size = 16, widths = [8]}\n"
      "text = {kind = 'bag_of_tokens', width = 8}\nspace = {name = 'joint', dimension = 8}\n";
  duet::Config recipe = duet::Config::parse(text, "recipe");
  const auto tokenizer = duet::Tokenizer::train({"a red circle", "a blue square", "a red star"}, {});
  duet::Model model(duet::read_model(recipe), tokenizer.vocabulary(), /*seed=*/1);
  const torch::Tensor pictures = torch::zeros({2, 3, 16, 16}, torch::kUInt8);
  const torch::Tensor features = model.image->forward(model.normalize(pictures));
  std::cout << "pictures " << model.retrieval_of_image_features(features).sizes() << "\n";
  duet::export_text_side(model, tokenizer, text, argv[1]);
  Dl_info blas{};
  dladdr(dlsym(RTLD_DEFAULT, "sgemm_"), &blas);
  std::cout << "BLAS " << blas.dli_fname << "\n";
}
