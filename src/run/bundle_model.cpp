#include "run/bundle_model.h"

#include "core/files.h"
#include "encoders/export.h"
#include "encoders/low_rank.h"
#include "run/saved_model.h"

namespace duet {

void save_bundle_model(Model& model, const Tokenizer& tokenizer, const Recipe& recipe, const fs::path& folder) {
  export_text_side(model, tokenizer, recipe.toml, folder);
  const SafetensorsFile captions(folder / "model.safetensors");
  TensorMap pictures;
  for (const auto& [name, tensor] : merged_tensors(model)) {
    if (!captions.has(name)) pictures[name] = tensor;
  }
  save_tensors(folder / "image.safetensors", pictures);
}

BundleModel load_bundle_model(const fs::path& folder) {
  BundleModel loaded{.recipe = read_recipe(Config::read(folder / "text.toml")), .model = {}};
  const nlohmann::json facts = nlohmann::json::parse(read_file(folder / "model.json"));
  loaded.model = std::make_shared<Model>(loaded.recipe.model, facts.at("vocabulary").get<std::int64_t>(),
                                         loaded.recipe.seed);
  TensorMap values = load_tensors(folder / "model.safetensors");
  values.merge(load_tensors(folder / "image.safetensors"));
  copy_into(tensors_of(*loaded.model), values, folder.string());
  loaded.model->set_weights(facts.at("weights").get<std::vector<double>>());
  loaded.model->eval();
  return loaded;
}

}  // namespace duet
