#include "encoders/export.h"

#include <nlohmann/json.hpp>

#include "core/files.h"
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
  const auto take = [&](const auto& named) {
    for (const auto& item : named) {
      if (serves_captions(item.key())) {
        tensors[item.key()] = item.value().detach().to(torch::kCPU, torch::kFloat).contiguous();
      }
    }
  };
  take(model.named_parameters());
  take(model.named_buffers());
  save_tensors(folder / "model.safetensors", tensors);
  write_file(folder / "tokenizer.model", tokenizer.serialized());
  write_file(folder / "text.toml", text_toml);
  const nlohmann::json facts = {{"weights", model.weights()}, {"vocabulary", model.vocabulary()}};
  write_file(folder / "model.json", facts.dump(1) + "\n");
}

}  // namespace duet
