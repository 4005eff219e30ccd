// Any bytes as an engine file: an Error, or a plan that can be written again. Checksums are made right after most mutations, so
// that damage gets past them, and sound random plans come in all the time.
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "plan/plan.h"
#include "plan/random_plan.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (size < 256 || seed % 64 == 0) {
    const std::vector<std::byte> plan = kiln::plan::write(kiln::plan::random_plan(seed));
    if (plan.size() <= max_size) {
      std::memcpy(data, plan.data(), plan.size());
      size = plan.size();
    }
  }
  if (seed % 4 == 0 || size <= 512) {
    size = LLVMFuzzerMutate(data, size, max_size);
  } else {  // keep the length, the header and the table
    LLVMFuzzerMutate(data + 320, size - 320, size - 320);
  }
  if (seed % 16) kiln::plan::refresh_checksums({reinterpret_cast<std::byte*>(data), size});
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const kiln::plan::Plan plan = kiln::plan::read({reinterpret_cast<const std::byte*>(data), size}, nullptr);
    const std::vector<std::byte> bytes = kiln::plan::write(plan);
    if (kiln::plan::write(kiln::plan::read(bytes, nullptr)) != bytes) __builtin_trap();
  } catch (const kiln::Error&) {
  }
  return 0;
}
