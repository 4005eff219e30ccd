// Hashes: a 64-bit checksum for sections of files and a 128-bit key for tuning problems. Stable across machines.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiln {

uint64_t checksum64(const void* data, size_t size);

struct Hash128 {
  uint64_t high = 0, low = 0;
  bool operator==(const Hash128&) const = default;
  auto operator<=>(const Hash128&) const = default;
  std::string hex() const;
  static std::optional<Hash128> parse(std::string_view hex);  // of 32 digits
};

Hash128 hash128(std::string_view bytes);

}  // namespace kiln
