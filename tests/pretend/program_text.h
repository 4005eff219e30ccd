// Generated kernels of the pretend device: their "machine code" is the text of a scalar program, which the CPU's kernel runs.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "device/device.h"

namespace kiln::pretend {

inline constexpr std::string_view kProgramText = "program_text";  // the kernel and its generator

// For a scalar program that stands among the parameters as "program.*".
std::shared_ptr<const GeneratedKernel> generate_program_text(const Attributes& parameters);
// The binary again; throws Error for another generator, another version of it, or parameters that are no program.
std::vector<std::byte> program_text(const GeneratedKernel& kernel);
// The kernel of the CPU that runs it. Throws Error when the code is absent, of another device, or damaged.
std::shared_ptr<const Executable> load_program_text(const KernelSource& source);

}  // namespace kiln::pretend
