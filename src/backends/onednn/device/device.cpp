// oneDNN as a device.
#include "backends/onednn/device/device.h"

#include <omp.h>

#include <dnnl.h>
#include <dnnl_debug.h>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "backends/onednn/device/registry.h"
#include "device/host_device.h"

namespace kiln::onednn {
namespace {

// Primitives that oneDNN keeps for the next context: more than the steps of a large network.
constexpr int kKeptPrimitives = 512;

struct KernelEntry {
  std::string_view name;
  std::unique_ptr<Kernel> (*make)(const Attributes&);
};

constexpr KernelEntry kKernels[] = {{"conv", make_conv},     {"conv_int8", make_conv_int8},     {"deconv", make_deconv},
                                    {"matmul", make_matmul}, {"matmul_int8", make_matmul_int8}, {"pool", make_pool}};

class OnednnDevice final : public HostDevice {
 public:
  OnednnDevice() { dnnl_set_primitive_cache_capacity(kKeptPrimitives); }

  std::string_view name() const override { return "onednn"; }
  int max_threads() const override { return omp_get_max_threads(); }
  void limit_threads(int most) noexcept override {
    thread_local int unlimited = 0;
    if (most > 0) {
      unlimited = omp_get_max_threads();
      omp_set_num_threads(std::min(most, unlimited));
    } else if (unlimited > 0) {
      omp_set_num_threads(std::exchange(unlimited, 0));
    }
  }

 private:
  // OpenMP's threads that have nothing to do leave the cores to others: so the library is opened, unless the user wants it otherwise.
  static bool waits_asleep() {
    if (const char* policy = std::getenv("OMP_WAIT_POLICY")) return policy[0] == 'p' || policy[0] == 'P';
    const char* spins = std::getenv("GOMP_SPINCOUNT");
    return !spins || std::string_view(spins) == "0";
  }

 protected:
  DeviceFacts make_facts() const override {
    const dnnl_version_t& v = *dnnl_version();
    const std::string version =
        "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
    return {.name = version,
            .fingerprint = version + " " + dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()) + " threads " +
                           std::to_string(max_threads()),
            .units = max_threads(),
            .switch_milliseconds = waits_asleep() ? 0.5 : 1,
            .switch_factor = 1.05};
  }
  std::unique_ptr<Kernel> make_kernel(std::string_view kernel, const Attributes& parameters) const override {
    for (const KernelEntry& entry : kKernels)
      if (entry.name == kernel) return entry.make(parameters);
    return nullptr;
  }
};

}  // namespace
}  // namespace kiln::onednn

kiln::Device* kiln_create_device_onednn(int ordinal, std::string& reason) {
  if (!kiln::only_ordinal(ordinal, reason)) return nullptr;
  static kiln::onednn::OnednnDevice instance;
  return &instance;
}
