// Kernels that are generated: CUDA C++ made from parameters, and compiled for one architecture.
#pragma once
#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// A kernel of the same name runs what it makes. Whatever changes its text, or a header that the text includes, changes its version.
struct Generator {
  std::string_view name;
  int64_t version;
  std::string (*source)(const Attributes& parameters);  // throws Error when they are not sound
  std::unique_ptr<Kernel> (*make)(Gpu& gpu, std::shared_ptr<Module> module, const Attributes& parameters);
};
std::span<const Generator> all_generators();

// Machine code for a chip, by NVRTC; thread-safe. Throws Error.
std::shared_ptr<const GeneratedKernel> generate(const Generator& generator, const Attributes& parameters,
                                                const Chip& chip);
// The binary again. Throws Error, also for code that is not of this chip or of no generator here.
std::vector<std::byte> generate_again(const GeneratedKernel& kernel, const Chip& chip);

// What Device::load gives for a kernel of that name; null when no generator has it.
std::shared_ptr<const Executable> load_generated(Gpu& gpu, const KernelSource& source);

}  // namespace kiln::cuda
