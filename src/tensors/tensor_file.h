// Tensors to and from safetensors.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/safetensors.h"

namespace duet {

using TensorMap = std::map<std::string, torch::Tensor>;

void save_tensors(const std::filesystem::path& path, const TensorMap& tensors,
                  const std::map<std::string, std::string>& metadata = {});
TensorMap load_tensors(const std::filesystem::path& path);  // copies: the file may go

// Parameters and buffers by their file names, aliases.
TensorMap tensors_of(const torch::nn::Module& module);

// Copies values into existing tensors (never replaces them: strides, devices and aliases stay). Error(artifact)
// naming every key that is missing, unexpected or of another shape; `what` says whose they are.
void copy_into(const TensorMap& target, const TensorMap& values, const std::string& what);

}  // namespace duet
