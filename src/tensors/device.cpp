#include "tensors/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/cpu/Utils.h>
#include <sched.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

const std::vector<std::string> kDevices{"auto", "cpu", "cuda"};
const std::vector<std::string> kPrecisions{"auto", "fp32", "bf16"};

[[noreturn]] void fail_wish(std::string_view option, std::string_view wish,
                            const std::vector<std::string>& allowed) {
  fail(Exit::usage, option,
       cat("is '", wish, "', expected one of ", joined(allowed), did_you_mean(wish, allowed)));
}

// Cores this process may run on: containers and taskset give fewer than the machine has.
int allowed_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  const int count = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
  return std::max(count > 0 ? count : static_cast<int>(std::thread::hardware_concurrency()), 1);
}

// ATEN_CPU_CAPABILITY may hold ATen below what the processor has; then bf16 has no fast kernels either.
bool cpu_has_fast_bf16() {
  const std::string kind = cpu_kind();
  if (kind.find("512") == std::string::npos && kind.find("AMX") == std::string::npos) return false;
  const auto features = at::cpu::get_cpu_capabilities();
  const auto has = [&](const char* name) {
    const auto found = features.find(name);
    return found != features.end() && found->second.isBool() && found->second.toBool();
  };
  return has("avx512_bf16") || has("amx_bf16");
}

}  // namespace

torch::Device choose_device(std::string_view wish) {
  if (std::find(kDevices.begin(), kDevices.end(), wish) == kDevices.end()) fail_wish("device", wish, kDevices);
  const bool has_cuda = wish != "cpu" && at::hasCUDA();
  if (wish == "cuda" && !has_cuda) {
    fail(Exit::usage, "device", "is 'cuda', but this machine or this build of LibTorch has none",
         "write cpu or auto");
  }
  return has_cuda ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
}

int set_compute_threads(int wish) {
  if (wish < 0) fail(Exit::usage, "threads", cat("is ", wish, ", expected 0 (all cores) or more"));
  static std::once_flag once;
  std::call_once(once, [] { at::set_num_interop_threads(1); });  // LibTorch allows it once
  at::set_num_threads(wish > 0 ? wish : allowed_cores());
  return at::get_num_threads();
}

std::string cpu_kind() { return at::get_cpu_capability(); }

Precision choose_precision(std::string_view wish, torch::Device device) {
  if (wish == "fp32") return Precision::fp32;
  if (wish == "bf16") return Precision::bf16;
  if (wish != "auto") fail_wish("precision", wish, kPrecisions);
  return device.is_cuda() || cpu_has_fast_bf16() ? Precision::bf16 : Precision::fp32;
}

std::string_view name_of(Precision precision) { return precision == Precision::bf16 ? "bf16" : "fp32"; }

Autocast::Autocast(Precision precision, torch::Device device)
    : on_(precision == Precision::bf16),
      before_(at::autocast::is_autocast_enabled(device.type())),
      dtype_before_(at::autocast::get_autocast_dtype(device.type())),
      device_(device.type()) {
  at::autocast::set_autocast_enabled(device_, on_);
  if (on_) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
}

Autocast::~Autocast() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, before_);
  at::autocast::set_autocast_dtype(device_, dtype_before_);
}

}  // namespace duet
