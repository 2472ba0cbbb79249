// The safetensors format (8-byte little-endian header length, JSON header, data): read by mapping and strictly
// checked, written byte for byte as its Python library writes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace duet {

// dtype is the format's own name: "F32", "F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL".
struct TensorView {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;       // C order
  std::int64_t count() const;             // number of elements
  std::span<const float> floats() const;  // Error(artifact) when dtype is not F32
};

class SafetensorsFile {
 public:
  // Error(artifact) for: header too long or no JSON object, unknown dtype, shape overflow, offsets that
  // overlap, leave a hole or run past the end, trailing bytes, duplicate names.
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, TensorView, std::less<>>& tensors() const { return tensors_; }
  const TensorView& at(std::string_view name) const;  // Error(artifact) naming file and tensor
  bool has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

// Writes the very bytes that the Python library writes (wide elements first, then by name), whatever the order
// given; fsyncs. Error(failed) on a full disk.
void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

std::size_t size_of_dtype(std::string_view dtype);  // 0 when unknown

}  // namespace duet
