// A caption to its retrieval embedding without LibTorch: the text tower's template over PlainOps (mapped
// float32, sgemm_).
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace duet {

// A model folder, as a checkpoint exports it for a bundle:
//   text.toml            the recipe's [text] and [[space]] tables
//   model.safetensors    text.* and spaces.*.text* / table / idf (fp32)
//   tokenizer.model      SentencePiece
//   model.json           {"weights": [one per space], "vocabulary": V}
// Whoever opens the folder has verified it (a bundle's generation is a sealed folder).
class QueryTower {
 public:
  static QueryTower open(const std::filesystem::path& model_folder);  // Error(artifact) naming file and tensor
  std::vector<float> embed(
      std::string_view text) const;  // [dimension()], unit length. Error(usage): no piece in it
  std::int64_t dimension() const;
  const Tokenizer& tokenizer() const;

 private:
  struct Impl;
  explicit QueryTower(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace duet
