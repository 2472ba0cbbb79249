#include "encoders/export.h"

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "encoders/low_rank.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

bool serves_captions(const std::string& name) {
  if (name.starts_with("text.")) return true;
  return name.starts_with("spaces.") &&
         (name.ends_with(".text.weight") || name.ends_with(".table") || name.ends_with(".idf"));
}

}  // namespace

void export_text_side(Model& model, const Tokenizer& tokenizer, const std::string& text_toml,
                      const std::filesystem::path& folder) {
  TensorMap tensors;
  for (const auto& [name, tensor] : merged_tensors(model)) {
    if (serves_captions(name)) tensors[name] = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
  }
  save_tensors(folder / "model.safetensors", tensors);
  write_file(folder / "tokenizer.model", tokenizer.serialized());
  write_file(folder / "text.toml", text_toml);
  const nlohmann::json facts = {{"weights", model.weights()}, {"vocabulary", model.vocabulary()}};
  write_file(folder / "model.json", facts.dump(1) + "\n");
}

}  // namespace duet
