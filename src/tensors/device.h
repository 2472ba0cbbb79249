// Where and how a run computes: device, number of threads, precision.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace duet {

// auto | cpu | cuda; Error(usage) when cuda is asked for and absent.
torch::Device choose_device(std::string_view wish);
int set_compute_threads(int wish);  // 0: all cores this process may use; returns what was set
std::string cpu_kind();             // ATen's capability string: "AVX2", "AVX512", "DEFAULT"

enum class Precision { fp32, bf16 };
// auto: bf16 on CUDA, and on a CPU with AMX or AVX-512 bf16 (with AVX2 alone bf16 is 3 times slower than fp32).
Precision choose_precision(std::string_view wish, torch::Device device);
std::string_view name_of(Precision precision);

// Autocast for one scope. Clears the weight cache on exit: without that the bf16 weights of step 0 serve for
// ever.
class Autocast {
 public:
  Autocast(Precision precision, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_, before_;
  at::ScalarType dtype_before_;
  c10::DeviceType device_;
};

}  // namespace duet
