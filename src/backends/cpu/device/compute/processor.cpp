// What the processor has beyond the instruction sets that the kernels are compiled for.
#include "backends/cpu/device/compute/processor.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kiln::cpu {
namespace {

// With AVX2, whose registers the instruction needs.
bool has_avx_vnni() noexcept {
#if defined(__x86_64__)
  constexpr unsigned kAvxVnni = 1u << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & kAvxVnni) != 0;
#else
  return false;
#endif
}

bool adds_in_fact() noexcept {
  const char* text = std::getenv("KILN_AVX_VNNI");
  return (!text || std::string_view(text) != "0") && has_avx_vnni();
}

std::atomic<bool>& adding_four() noexcept {
  static std::atomic<bool> adds{adds_in_fact()};
  return adds;
}

}  // namespace

bool adds_four_products() noexcept { return adding_four().load(std::memory_order_relaxed); }

void pretend_adding_four(std::optional<bool> adds) noexcept { adding_four() = adds.value_or(adds_in_fact()); }

}  // namespace kiln::cpu
