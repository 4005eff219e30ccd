// oneDNN as a device.
#include "backends/onednn/device/device.h"

#include <omp.h>

#include <dnnl.h>
#include <dnnl_debug.h>

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

constexpr KernelEntry kKernels[] = {
    {"conv", make_conv}, {"deconv", make_deconv}, {"matmul", make_matmul}, {"pool", make_pool}};

class OnednnDevice final : public HostDevice {
 public:
  OnednnDevice() { dnnl_set_primitive_cache_capacity(kKeptPrimitives); }

  std::string_view name() const override { return "onednn"; }
  std::string fingerprint() const override {
    const dnnl_version_t& v = *dnnl_version();
    return "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch) + " " +
           dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()) + " threads " + std::to_string(max_threads());
  }
  int max_threads() const override { return omp_get_max_threads(); }
  std::unique_ptr<Kernel> create_kernel(std::string_view kernel, const Attributes& parameters) override {
    for (const KernelEntry& entry : kKernels)
      if (entry.name == kernel) return entry.make(parameters);
    return nullptr;
  }
};

}  // namespace
}  // namespace kiln::onednn

kiln::Device* kiln_create_device_onednn() {
  static kiln::onednn::OnednnDevice instance;
  return &instance;
}
