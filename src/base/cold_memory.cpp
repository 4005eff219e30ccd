// Memory that is to lie in no cache.
#include "base/cold_memory.h"

#include <cstdint>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace kiln {

#if defined(__x86_64__)
bool can_make_cold() noexcept { return true; }

void make_cold(const void* data, size_t size) noexcept {
  constexpr uintptr_t kLine = 64;
  const auto begin = reinterpret_cast<uintptr_t>(data) / kLine * kLine, end = reinterpret_cast<uintptr_t>(data) + size;
  for (uintptr_t line = begin; line < end; line += kLine) _mm_clflush(reinterpret_cast<const void*>(line));
  _mm_mfence();
}
#else
bool can_make_cold() noexcept { return false; }

void make_cold(const void*, size_t) noexcept {}
#endif

}  // namespace kiln
