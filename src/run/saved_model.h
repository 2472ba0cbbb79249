// A trained model brought back from a run folder, ready to embed.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "encoders/model.h"
#include "run/recipe.h"
#include "text/tokenizer.h"

namespace duet {

struct SavedModel {
  Recipe recipe;
  std::optional<Tokenizer> tokenizer;  // none for a model of pictures alone
  std::shared_ptr<Model> model;        // in eval mode, on the device
  std::int64_t step = 0;
  std::string identity;  // checksum of the sealed folder: bundles remember it
  std::filesystem::path folder;
  torch::Device device{torch::kCPU};

  void pictures() const;           // Error(usage) when the model has no picture tower
  const Tokenizer& texts() const;  // Error(usage) when the model has no text tower
};

// which: best (RUN/model when training is finished, else the best checkpoint so far) | last | step-N.
// RUN may also be the folder of a checkpoint or model itself. Weights are the averaged ones where the run keeps
// them, with low-rank parts merged.
SavedModel load_saved_model(const std::filesystem::path& run, std::string_view which, std::string_view device);

// The weights that a checkpoint's model is judged by: the averaged ones where there are, else the live ones.
TensorMap averaged_tensors(const std::filesystem::path& folder);

}  // namespace duet
