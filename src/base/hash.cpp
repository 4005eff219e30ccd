// XXH3 behind the hash interface.
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>
#include <cstdio>
#include <utility>

namespace kiln {

#if defined(__x86_64__)
unsigned long checksum64_avx2(const void* data, unsigned long size);

uint64_t checksum64(const void* data, size_t size) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? checksum64_avx2(data, size) : XXH3_64bits(data, size);
}
#else
uint64_t checksum64(const void* data, size_t size) { return XXH3_64bits(data, size); }
#endif

Hash128 hash128(std::string_view bytes) {
  XXH128_hash_t h = XXH3_128bits(bytes.data(), bytes.size());
  return {h.high64, h.low64};
}

std::string Hash128::hex() const {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

std::optional<Hash128> Hash128::parse(std::string_view hex) {
  Hash128 hash;
  if (hex.size() != 32) return std::nullopt;
  for (const auto& [digits, number] :
       {std::pair(hex.substr(0, 16), &hash.high), std::pair(hex.substr(16), &hash.low)}) {
    const char* end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, *number, 16).ptr != end) return std::nullopt;
  }
  return hash;
}

}  // namespace kiln
