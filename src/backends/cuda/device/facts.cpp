// What is known of a card, as plain data.
#include <charconv>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/memory.h"

namespace kiln::cuda {
namespace {

// Operations of one multiprocessor in one cycle, a multiplication and an addition counted as two: products of matrices by the
// data sheets, float32 by its plain units.
struct Rates {
  int compute;
  double half, tf32, single, integer8;
};
constexpr Rates kRates[] = {{75, 1024, 0, 128, 2048},   {80, 2048, 1024, 128, 4096}, {86, 1024, 512, 256, 2048},
                            {89, 1024, 512, 256, 2048}, {90, 4096, 2048, 256, 8192}, {100, 8192, 4096, 256, 16384},
                            {120, 1024, 512, 256, 2048}};

const Rates& rates_of(int compute) {
  const Rates* best = kRates;
  for (const Rates& r : kRates)
    if (r.compute <= compute) best = &r;
  return *best;
}

// Shared memory that a block may ask for, by NVIDIA's programming guide.
struct SharedMemory {
  int compute, kilobytes;
};
constexpr SharedMemory kSharedMemory[] = {{75, 64},  {80, 163},  {86, 99},   {87, 163}, {89, 99},
                                          {90, 227}, {100, 227}, {103, 227}, {120, 99}};

constexpr double kReachedShare = 0.87;  // of the bus, by copies of large tensors

}  // namespace

DeviceFacts facts_of(const Card& card, int driver_version) {
  DeviceFacts f;
  f.name = card.name;
  f.fingerprint = "cuda sm_" + std::to_string(card.chip.compute) + " " + card.name + " " +
                  std::to_string(card.chip.multiprocessors) + " multiprocessors, driver " +
                  std::to_string(driver_version);
  f.memory = card.memory;
  f.cache = card.chip.cache;
  f.units = card.chip.multiprocessors;
  f.bytes_per_second = kReachedShare * 2e3 * card.memory_kilohertz * card.bus_bits / 8;
  const Rates& rates = rates_of(card.chip.compute);
  const double cycles = 1e3 * card.core_kilohertz * card.chip.multiprocessors;
  f.operations_per_second = {{DType::kF16, rates.half * cycles},
                             {DType::kBF16, rates.half * cycles},
                             {DType::kF32, rates.single * cycles},
                             {DType::kI8, rates.integer8 * cycles}};
  f.alignment = kAlignment;
  f.host_memory = false;
  return f;
}

std::optional<Chip> chip_of(const DeviceFacts& facts) {
  constexpr std::string_view kMark = "cuda sm_";
  Chip chip{.compute = 0, .multiprocessors = facts.units, .shared_per_block = 48 << 10, .cache = facts.cache};
  if (facts.fingerprint.rfind(kMark, 0) != 0) return std::nullopt;
  const char *begin = facts.fingerprint.data() + kMark.size(),
             *end = facts.fingerprint.data() + facts.fingerprint.size();
  if (std::from_chars(begin, end, chip.compute).ec != std::errc() || chip.compute <= 0) return std::nullopt;
  for (const SharedMemory& s : kSharedMemory)
    if (s.compute == chip.compute) chip.shared_per_block = s.kilobytes << 10;
  return chip;
}

}  // namespace kiln::cuda
