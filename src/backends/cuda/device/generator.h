// Kernels that are generated: made from parameters, and compiled for one architecture.
#pragma once
#include "backends/cuda/device/compiled_once.h"
#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// A kernel of the same name runs what it makes. Whatever changes that changes its version.
struct Generator {
  std::string_view name;
  int64_t version;
  // What the request's parameters ask for, taken from `kept` where that has it and left there, if not null. Thread-safe. Throws Error, also
  // when parameters are not sound.
  Binary (*build)(const GeneratedKernel& request, const Chip& chip, KeptCode* kept);
  // What runs it. The binary is believed: at most damage that is no one's intention is noticed. Throws Error.
  std::shared_ptr<const Executable> (*load)(Gpu& gpu, const GeneratedKernel& kernel);
};
std::span<const Generator> all_generators();

// A binary for a chip by the generator of that name; `kept` as above; thread-safe. Throws Error.
std::shared_ptr<const GeneratedKernel> generate(std::string_view generator, const Attributes& parameters,
                                                const Chip& chip, KeptCode* kept);
// The binary again. Throws Error, also for code that is not of this chip or of no generator here.
std::vector<std::byte> generate_again(const GeneratedKernel& kernel, const Chip& chip);

// What Device::load gives for a kernel of that name; null when no generator has it.
std::shared_ptr<const Executable> load_generated(Gpu& gpu, const KernelSource& source);

}  // namespace kiln::cuda
