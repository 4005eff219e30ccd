// The CPU device.
#include "backends/cpu/device/device.h"

#include "backends/cpu/device/compute/parallel.h"
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
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  return "sse4";
}

class CpuDevice final : public HostDevice {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string fingerprint() const override { return "x86-64 " + instruction_set(); }
  int max_threads() const override { return thread_count(); }
  void limit_threads(int most) noexcept override { cpu::limit_threads(most); }
  std::unique_ptr<Kernel> create_kernel(std::string_view kernel, const Attributes& parameters) override {
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

kiln::Device* kiln_create_device_cpu() { return &kiln::cpu::device(); }
