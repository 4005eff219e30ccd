// The CPU device.
#include "backends/cpu/device/device.h"

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/processor.h"
#include "backends/cpu/device/compute/product_tiles.h"
#include "backends/cpu/device/compute/thread_limit.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/host_device.h"

namespace kiln::cpu {
namespace {

struct KernelEntry {
  std::string_view name;
  std::unique_ptr<Kernel> (*make)(const Attributes&);
};

constexpr KernelEntry kKernels[] = {
#define KILN_KERNEL(word) {#word, kernels::make_##word},
#include "backends/cpu/device/kernels/list.inc"
#undef KILN_KERNEL
};

std::string instruction_set() {
  __builtin_cpu_init();
  if (multiplies_tiles()) return "avx512 amx";
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return adds_four_products() ? "avx2 vnni" : "avx2";
  return "sse4";
}

class CpuDevice final : public HostDevice {
 public:
  std::string_view name() const override { return "cpu"; }
  int max_threads() const override { return thread_count(); }
  void limit_threads(int most) noexcept override { cpu::limit_threads(most); }

 protected:
  DeviceFacts make_facts() const override {
    const std::string name = "x86-64 " + instruction_set();
    return {.name = name,
            .fingerprint = name,
            .memory = host_memory_bytes(),
            .cache = host_cache_bytes(),
            .units = max_threads()};
  }
  std::unique_ptr<Kernel> make_kernel(std::string_view kernel, const Attributes& parameters) const override {
    for (const KernelEntry& entry : kKernels)
      if (entry.name == kernel) return entry.make(parameters);
    return nullptr;
  }
};

}  // namespace

Device& device() {
  static CpuDevice instance;
  return instance;
}

}  // namespace kiln::cpu

kiln::Device* kiln_create_device_cpu(int ordinal, std::string& reason) {
  return kiln::only_ordinal(ordinal, reason) ? &kiln::cpu::device() : nullptr;
}
