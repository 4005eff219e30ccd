// NVIDIA GPUs as devices, by the driver's programming interface, over the context that CUDA's runtime shares.
#pragma once
#include <optional>

#include "backends/cuda/device/gpu.h"
#include "device/device.h"

namespace kiln::cuda {

// Device::edge_milliseconds of each GPU, in a captured graph.
inline constexpr double kEdgeMilliseconds = 0.0015;

// The kernel of that name for a GPU; null when there is none. Throws Error when the parameters are not sound.
std::unique_ptr<Kernel> make_kernel(Gpu& gpu, std::string_view name, const Attributes& parameters);

// A GPU that this machine need not have; null, with the reason, when the facts are of none.
Device* describe(const DeviceFacts& facts, std::string& reason);

// What Device::load gives for it.
std::shared_ptr<const Executable> load_kernel(Gpu& gpu, const KernelSource& source);

// Device::libraries of each GPU.
std::map<std::string, std::string> libraries();

// What is known of a card: from the driver, and rates from its clocks and its data sheet.
struct Card {
  std::string name;
  Chip chip;
  int64_t memory = 0;        // bytes
  int core_kilohertz = 0;    // highest clock
  int memory_kilohertz = 0;  // likewise
  int bus_bits = 0;          // of memory
};
DeviceFacts facts_of(const Card& card, int driver_version);
// The number of the first GPU of this machine that is such a one; nothing where there is none.
std::optional<int> ordinal_of(const Chip& chip);
// The chip that the facts of a GPU tell of; nothing when they are not of one.
std::optional<Chip> chip_of(const DeviceFacts& facts);

}  // namespace kiln::cuda

extern "C" kiln::Device* kiln_create_device_cuda(int ordinal, std::string& reason);
extern "C" kiln::Device* kiln_describe_device_cuda(const kiln::DeviceFacts& facts, std::string& reason);
