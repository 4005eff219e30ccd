// Memory that is to lie in no cache.
#include "base/cold_memory.h"

#include <cstdint>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace kiln {

#if defined(__x86_64__)
namespace {

constexpr uintptr_t kLine = 64;

// The lines of CLFLUSHOPT leave side by side; those of CLFLUSH, which every processor has, one after the other.
bool has_clflushopt() noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_CLFLUSHOPT) != 0;
}

[[gnu::target("clflushopt")]] void flush_side_by_side(uintptr_t line, uintptr_t end) noexcept {
  for (; line < end; line += kLine) _mm_clflushopt(reinterpret_cast<void*>(line));
}

void flush(uintptr_t line, uintptr_t end) noexcept {
  for (; line < end; line += kLine) _mm_clflush(reinterpret_cast<const void*>(line));
}

}  // namespace

bool can_make_cold() noexcept { return true; }

void make_cold(const void* data, size_t size) noexcept {
  static void (*const flusher)(uintptr_t, uintptr_t) noexcept = has_clflushopt() ? flush_side_by_side : flush;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  flusher(begin / kLine * kLine, begin + size);
  _mm_mfence();
}
#else
bool can_make_cold() noexcept { return false; }

void make_cold(const void*, size_t) noexcept {}
#endif

}  // namespace kiln
