#include "tensors/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr std::array<std::pair<std::string_view, torch::ScalarType>, 10> kTypes{{{"F64", torch::kFloat64},
                                                                                 {"F32", torch::kFloat32},
                                                                                 {"F16", torch::kFloat16},
                                                                                 {"BF16", torch::kBFloat16},
                                                                                 {"I64", torch::kInt64},
                                                                                 {"I32", torch::kInt32},
                                                                                 {"I16", torch::kInt16},
                                                                                 {"I8", torch::kInt8},
                                                                                 {"U8", torch::kUInt8},
                                                                                 {"BOOL", torch::kBool}}};

std::string_view name_of_type(torch::ScalarType type) {
  for (const auto& [name, known] : kTypes) {
    if (known == type) return name;
  }
  TORCH_CHECK(false, "tensors of type ", type, " have no place in a safetensors file");
}

torch::Tensor to_tensor(const SafetensorsFile& file, const std::string& name, const TensorView& view) {
  const auto* type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& one) { return one.first == view.dtype; });
  if (type == kTypes.end()) {
    fail(Exit::artifact, file.path().string(), cat("tensor '", name, "' holds ", view.dtype),
         "duet does not use this type");
  }
  const auto is_truth = [](std::byte one) { return one <= std::byte{1}; };
  if (type->second == torch::kBool && !std::all_of(view.bytes.begin(), view.bytes.end(), is_truth)) {
    fail(Exit::artifact, file.path().string(),
         cat("tensor '", name, "' holds truth values other than 0 and 1"));
  }
  torch::Tensor tensor = torch::empty(view.shape, torch::dtype(type->second));
  if (!view.bytes.empty()) std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

std::string shape_of(const torch::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : tensor.sizes()) sizes.push_back(std::to_string(size));
  return cat("[", joined(sizes), "]");
}

// "what: a, b, c and 12 more"; nothing when there is none.
void list_names(std::string& text, std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  if (names.empty()) return;
  const std::span<const std::string> shown(names.data(), std::min(names.size(), kShown));
  text += cat(text.empty() ? "" : "; ", what, ": ", joined(shown));
  if (names.size() > kShown) text += cat(" and ", names.size() - kShown, " more");
}

}  // namespace

void save_tensors(const std::filesystem::path& path, const TensorMap& tensors,
                  const std::map<std::string, std::string>& metadata) {
  std::vector<torch::Tensor> kept;  // C-order copies on the CPU must outlive the writing
  std::vector<NamedTensor> named;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const torch::Tensor& plain = kept.back();
    named.push_back({name,
                     {.dtype = std::string(name_of_type(plain.scalar_type())),
                      .shape = plain.sizes().vec(),
                      .bytes = {static_cast<const std::byte*>(plain.data_ptr()), plain.nbytes()}}});
  }
  write_safetensors(path, std::move(named), metadata);
}

TensorMap load_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  TensorMap tensors;
  for (const auto& [name, view] : file.tensors()) tensors.emplace(name, to_tensor(file, name, view));
  return tensors;
}

TensorMap tensors_of(const torch::nn::Module& module) {
  TensorMap tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

void copy_into(const TensorMap& target, const TensorMap& values, const std::string& what) {
  std::vector<std::string> missing, unexpected, reshaped;
  for (const auto& [name, tensor] : target) {
    const auto value = values.find(name);
    if (value == values.end()) {
      missing.push_back(name);
    } else if (value->second.sizes() != tensor.sizes()) {
      reshaped.push_back(cat(name, " ", shape_of(value->second), " instead of ", shape_of(tensor)));
    }
  }
  for (const auto& [name, tensor] : values) {
    if (!target.contains(name)) unexpected.push_back(name);
  }
  std::string complaint;
  list_names(complaint, "missing", missing);
  list_names(complaint, "unexpected", unexpected);
  list_names(complaint, "of another shape", reshaped);
  if (!complaint.empty()) fail(Exit::artifact, what, cat("does not fit; ", complaint));
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target) torch::Tensor(tensor).copy_(values.at(name));
}

}  // namespace duet
