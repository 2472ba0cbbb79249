// Tensors that took time, kept in a folder under the hash of all they follow from. What is damaged is as good
// as not there, and a folder that cannot be written to costs time, not the result.
#pragma once
#include <filesystem>
#include <optional>

#include "tensors/tensor_file.h"

namespace duet {

std::optional<TensorMap> read_cached(const std::filesystem::path& file);
void write_cached(const std::filesystem::path& file, const TensorMap& tensors);  // contiguous, on the CPU

}  // namespace duet
