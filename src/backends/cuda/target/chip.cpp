// The GPU that engines are built for.
#include "backends/cuda/target/chip.h"

#include "backends/cuda/device/device.h"

namespace kiln::cuda {
namespace {

constexpr Chip kWithoutGpu{.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20};

Chip find_chip() {
  std::string reason;
  const Device* device = try_open_device("cuda", reason);
  const auto chip = device ? chip_of(device->facts()) : std::nullopt;
  return chip.value_or(kWithoutGpu);
}

}  // namespace

const Chip& target_chip() {
  static const Chip chip = find_chip();
  return chip;
}

std::string compute_text(const Chip& chip) {
  return std::to_string(chip.compute / 10) + "." + std::to_string(chip.compute % 10);
}

}  // namespace kiln::cuda
