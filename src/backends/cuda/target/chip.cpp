// The GPU that engines are built for.
#include "backends/cuda/target/chip.h"

#include <algorithm>

#include "backends/cuda/device/cluster_room.h"
#include "backends/cuda/device/device.h"

namespace kiln::cuda {
namespace {

constexpr Chip kWithoutGpu{.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20};

const Device* find_device() {
  std::string reason;
  return try_open_device("cuda", reason);
}

Chip find_chip() {
  const Device* device = find_device();
  const auto chip = device ? chip_of(device->facts()) : std::nullopt;
  return chip.value_or(kWithoutGpu);
}

// Parts of cards that are not there have room for what every GPU with clusters takes.
unsigned find_cluster() {
  const unsigned most = target_chip().largest_cluster();
  const Device* device = find_device();
  if (!device) return most;
  if (device->is_present()) return largest_cluster_of(device->ordinal(), target_chip());
  const bool is_part = device->facts().name.find(" MIG ") != std::string::npos;
  return is_part ? std::min(most, kPortableCluster) : most;
}

}  // namespace

const Chip& target_chip() {
  static const Chip chip = find_chip();
  return chip;
}

unsigned target_cluster() {
  static const unsigned cluster = find_cluster();
  return cluster;
}

std::string compute_text(const Chip& chip) {
  return std::to_string(chip.compute / 10) + "." + std::to_string(chip.compute % 10);
}

}  // namespace kiln::cuda
