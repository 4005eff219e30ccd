// The kernels of NVIDIA GPUs: one file, and one word in list.inc, each. A kernel's file
// defines make_<word>, which throws Error when the parameters are not sound.
#pragma once
#include <memory>
#include <span>

#include "backends/cuda/device/gpu.h"

namespace kiln::cuda::kernels {

struct KernelEntry {
  std::string_view name;
  std::unique_ptr<Kernel> (*make)(Gpu& gpu, const Attributes& parameters);
};
std::span<const KernelEntry> all_kernels();

}  // namespace kiln::cuda::kernels
