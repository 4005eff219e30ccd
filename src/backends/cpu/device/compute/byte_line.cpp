// Tables of bytes that are a line.
#include "backends/cpu/device/compute/byte_line.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace kiln::cpu {
namespace {

struct Table {
  const uint8_t* bytes;
  bool is_signed, gives_signed;
  int32_t zero;  // of its places
  int32_t least() const { return (is_signed ? -128 : 0) - zero; }
  int32_t operator()(int32_t w) const {
    const uint8_t byte = bytes[static_cast<uint8_t>(w + zero)];
    return gives_signed ? static_cast<int8_t>(byte) : byte;
  }
};

int32_t on_line(const ByteLine& line, int32_t w) {
  const float v = std::nearbyint(static_cast<float>(w) * line.factor);
  return std::clamp(static_cast<int32_t>(v), line.low, line.high) + line.zero;
}

// The factor in the middle of those that each number between the limits allows; none where they allow no common one.
std::optional<float> factor_of(const Table& table, int32_t zero, int32_t low, int32_t high) {
  double least = 0, most = kMostFactor;
  for (int32_t w = table.least(); w < table.least() + 256; ++w) {
    const int32_t v = table(w) - zero;
    if (w == 0 || v == low || v == high) continue;
    const double a = (v - 0.5) / w, b = (v + 0.5) / w;
    least = std::max(least, std::min(a, b));
    most = std::min(most, std::max(a, b));
  }
  const auto factor = static_cast<float>((least + most) / 2);
  return least <= most && factor > 0 ? std::optional(factor) : std::nullopt;
}

std::optional<ByteLine> line_of(const Table& table) {
  const int32_t first = table.least(), last = first + 255;
  if (first > 0 || last < 0) return std::nullopt;
  const int32_t zero = table(0), low = table(first) - zero, high = table(last) - zero;
  const auto factor = factor_of(table, zero, low, high);
  if (!factor) return std::nullopt;
  const int32_t least_byte = table.gives_signed ? -128 : 0;
  const ByteLine line{.factor = *factor,
                      .low = low,
                      .high = high,
                      .zero = zero,
                      .is_signed = table.gives_signed,
                      .saturates = low + zero == least_byte && high + zero == least_byte + 255};
  for (int32_t w = first; w <= last; ++w)
    if (on_line(line, w) != table(w)) return std::nullopt;
  return line;
}

}  // namespace

std::optional<ByteLine> line_of(const uint8_t* table, bool is_signed, int32_t zero) noexcept {
  const auto line = line_of(Table{table, is_signed, false, zero});
  return line ? line : line_of(Table{table, is_signed, true, zero});
}

}  // namespace kiln::cpu
