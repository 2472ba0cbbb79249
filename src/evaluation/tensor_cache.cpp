#include "evaluation/tensor_cache.h"

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr const char* kChecksum = "checksum";

std::string checksum_of(const TensorMap& tensors) {
  std::string sums;
  for (const auto& [name, tensor] : tensors) {
    const auto* bytes = static_cast<const std::byte*>(tensor.data_ptr());
    sums += cat(name, " ", tensor.sizes(), " ", checksum(std::span(bytes, tensor.nbytes())), "\n");
  }
  return checksum(sums);
}

}  // namespace

std::optional<TensorMap> read_cached(const fs::path& file) {
  std::error_code none;
  if (!fs::is_regular_file(file, none)) return std::nullopt;
  try {
    const auto metadata = SafetensorsFile(file).metadata();
    TensorMap tensors = load_tensors(file);
    const auto sum = metadata.find(kChecksum);
    if (sum != metadata.end() && sum->second == checksum_of(tensors)) return tensors;
    log_debug(cat(file.string(), ": is damaged, computed anew"));
  } catch (const Error& reason) {
    log_debug(cat(reason.what(), "; computed anew"));
  }
  return std::nullopt;
}

void write_cached(const fs::path& file, const TensorMap& tensors) {
  const fs::path temporary = temporary_beside(file);
  try {
    fs::create_directories(file.parent_path());
    save_tensors(temporary, tensors, {{kChecksum, checksum_of(tensors)}});
    fs::rename(temporary, file);
  } catch (const std::exception& reason) {  // a full disk, no permission
    std::error_code ignored;
    fs::remove(temporary, ignored);
    log_debug(cat(file.string(), ": not kept: ", reason.what()));
  }
}

}  // namespace duet
