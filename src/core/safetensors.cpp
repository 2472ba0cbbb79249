#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and is mapped as it lies");

constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::string_view kMetadata = "__metadata__";

struct Dtype {
  std::string_view name;
  std::size_t size;
};

// In the order in which the format's own library lays tensors out: wide elements first, so that each tensor is
// aligned to its element without a hole.
constexpr std::array<Dtype, 15> kDtypes{{{"U64", 8},
                                         {"I64", 8},
                                         {"F64", 8},
                                         {"F32", 4},
                                         {"U32", 4},
                                         {"I32", 4},
                                         {"BF16", 2},
                                         {"F16", 2},
                                         {"U16", 2},
                                         {"I16", 2},
                                         {"F8_E4M3", 1},
                                         {"F8_E5M2", 1},
                                         {"I8", 1},
                                         {"U8", 1},
                                         {"BOOL", 1}}};

std::size_t rank_of_dtype(std::string_view dtype) {
  return static_cast<std::size_t>(
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& one) { return one.name == dtype; }) -
      kDtypes.begin());
}

// a * b, or nothing when it does not fit.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

struct Placed {
  std::uint64_t begin, end;
  std::string name;
};

// Turns the header into views; every complaint names the file.
class HeaderReader {
 public:
  HeaderReader(const fs::path& path, std::span<const std::byte> file) : path_(path), file_(file) {}

  void read(std::map<std::string, TensorView, std::less<>>& tensors,
            std::map<std::string, std::string>& metadata) {
    const json header = parse(header_text());
    for (const auto& [name, entry] : header.items()) {
      if (name == kMetadata) {
        read_metadata(entry, metadata);
      } else {
        tensors.emplace(name, read_entry(name, entry));
      }
    }
    check_coverage();
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail(Exit::artifact, path_.string(), cat("is no valid safetensors file: ", what));
  }

  std::string_view header_text() {
    if (file_.size() < 8) refuse(cat("it holds ", file_.size(), " bytes, fewer than 8"));
    std::uint64_t length = 0;
    std::memcpy(&length, file_.data(), 8);
    if (length > kLongestHeader) refuse(cat("its header claims ", length, " bytes, more than 100 MB"));
    if (length > file_.size() - 8) refuse(cat("its header of ", length, " bytes is cut at ", file_.size() - 8));
    data_ = file_.subspan(8 + length);
    const std::string_view text(reinterpret_cast<const char*>(file_.data()) + 8, length);
    if (!text.starts_with('{')) refuse("its header does not start with '{'");
    const auto last = text.find_last_not_of(' ');
    if (text[last] != '}') refuse("its header does not end with '}'");
    return text.substr(0, last + 1);
  }

  // nlohmann::json keeps the last of equal keys in silence, and would take nested objects of any depth.
  json parse(std::string_view text) const {
    std::vector<std::set<std::string>> keys;
    const auto check = [&](int depth, json::parse_event_t event, json& value) {
      if (event == json::parse_event_t::object_start) {
        if (depth > 1) refuse("its header is nested too deep");
        keys.emplace_back();
      } else if (event == json::parse_event_t::object_end) {
        keys.pop_back();
      } else if (event == json::parse_event_t::array_start && depth > 2) {
        refuse("its header is nested too deep");
      } else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
        refuse(cat("its header has '", value.get<std::string>(), "' twice"));
      }
      return true;
    };
    try {
      return json::parse(text, check);
    } catch (const json::exception& error) {
      refuse(cat("its header is no JSON: ", error.what()));
    }
  }

  void read_metadata(const json& entry, std::map<std::string, std::string>& metadata) const {
    if (!entry.is_object()) refuse("'__metadata__' is no object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) refuse(cat("'", key, "' in '__metadata__' is no string"));
      metadata.emplace(key, value.get<std::string>());
    }
  }

  TensorView read_entry(const std::string& name, const json& entry) {
    const auto refuse_entry = [&](std::string_view what) { refuse(cat("tensor '", name, "' ", what)); };
    const auto is_count = [](const json& value) {
      return value.is_number_unsigned() && value.get<std::uint64_t>() <= INT64_MAX;
    };
    const auto is_counts = [&](const json& value) {
      return value.is_array() && std::all_of(value.begin(), value.end(), is_count);
    };
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets")) {
      refuse_entry("has other keys than dtype, shape and data_offsets");
    }
    if (!entry["dtype"].is_string()) refuse_entry("has a dtype that is no string");
    if (!is_counts(entry["shape"])) refuse_entry("has a shape that is no list of sizes");
    if (!is_counts(entry["data_offsets"]) || entry["data_offsets"].size() != 2) {
      refuse_entry("has data_offsets that are no two positions");
    }
    TensorView view{.dtype = entry["dtype"], .shape = entry["shape"], .bytes = {}};
    std::uint64_t bytes = size_of_dtype(view.dtype);
    if (bytes == 0) refuse_entry(cat("has the unknown dtype '", view.dtype, "'"));
    // A size of 0 must not hide an overflow of the others: count() multiplies them in any order.
    std::uint64_t without_zeros = bytes;
    for (const std::int64_t size : view.shape) {
      bytes *= static_cast<std::uint64_t>(size);
      const bool fits =
          multiply(without_zeros, std::max<std::uint64_t>(static_cast<std::uint64_t>(size), 1), without_zeros);
      if (!fits || without_zeros > INT64_MAX) refuse_entry("has a shape that overflows");
    }
    const std::uint64_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    if (begin > end || end > data_.size()) {
      refuse_entry(cat("lies at ", begin, " to ", end, " of ", data_.size(), " bytes"));
    }
    if (end - begin != bytes) refuse_entry(cat("has ", end - begin, " bytes where its shape needs ", bytes));
    view.bytes = data_.subspan(begin, bytes);
    placed_.push_back({begin, end, name});
    return view;
  }

  void check_coverage() {
    std::sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    std::uint64_t covered = 0;
    for (const Placed& tensor : placed_) {
      if (tensor.begin < covered) refuse(cat("tensor '", tensor.name, "' overlaps another"));
      if (tensor.begin > covered) refuse(cat("there is a hole before tensor '", tensor.name, "'"));
      covered = tensor.end;
    }
    if (covered != data_.size()) refuse(cat(data_.size() - covered, " bytes follow the last tensor"));
  }

  const fs::path& path_;
  std::span<const std::byte> file_, data_;
  std::vector<Placed> placed_;
};

std::string header_of(const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const std::uint64_t end = offset + tensor.tensor.bytes.size();
    header[tensor.name] = {
        {"dtype", tensor.tensor.dtype}, {"shape", tensor.tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

void check_writable(const fs::path& path, const std::vector<NamedTensor>& tensors) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t size = size_of_dtype(tensor.dtype);
    const bool whole = size > 0 && static_cast<std::size_t>(tensor.count()) * size == tensor.bytes.size();
    if (!whole)
      fail(Exit::failed, path.string(), cat("tensor '", name, "' has bytes that do not fit its shape"));
    if (name == kMetadata || !names.insert(name).second) {
      fail(Exit::failed, path.string(), cat("'", name, "' cannot name a tensor"),
           "it is reserved or there twice");
    }
  }
}

}  // namespace

std::size_t size_of_dtype(std::string_view dtype) {
  const std::size_t rank = rank_of_dtype(dtype);
  return rank < kDtypes.size() ? kDtypes[rank].size : 0;
}

std::int64_t TensorView::count() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

std::span<const float> TensorView::floats() const {
  if (dtype != "F32") fail(Exit::artifact, "", cat("a tensor holds ", dtype), "it must hold F32");
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) != 0) {
    fail(Exit::artifact, "", "a tensor of F32 does not lie at a multiple of 4 bytes", "save the file again");
  }
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path), file_(path) {
  HeaderReader(path_, file_.bytes()).read(tensors_, metadata_);
}

const TensorView& SafetensorsFile::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(Exit::artifact, path_.string(), cat("has no tensor '", name, "'"));
  return found->second;
}

void write_safetensors(const fs::path& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_writable(path, tensors);
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    const std::size_t a_rank = rank_of_dtype(a.tensor.dtype), b_rank = rank_of_dtype(b.tensor.dtype);
    return a_rank != b_rank ? a_rank < b_rank : a.name < b.name;
  });
  const std::string header = header_of(tensors, metadata);
  const std::uint64_t length = header.size();
  AppendFile out(path, 0);
  out.write({reinterpret_cast<const char*>(&length), sizeof length});
  out.write(header);
  for (const NamedTensor& tensor : tensors) {
    out.write({reinterpret_cast<const char*>(tensor.tensor.bytes.data()), tensor.tensor.bytes.size()});
  }
  out.sync();
}

}  // namespace duet
