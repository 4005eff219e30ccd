// float16 and bfloat16 to and from float32, inline so that loops over them are vectorised. Rounding is to nearest even;
// a NaN becomes quiet and keeps its sign.
#pragma once
#include <bit>
#include <cstdint>

namespace kiln {

// a < b ? x : y for a, b >= 0, as bit arithmetic: a branch around floating-point operations would keep loops from being
// vectorised.
inline int32_t select_less(int32_t a, int32_t b, int32_t x, int32_t y) {
  const int32_t mask = (a - b) >> 31;
  return (x & mask) | (y & ~mask);
}

inline float f16_to_float(uint16_t bits) {
  // Shifted into place, the exponent is 112 too small; one multiplication mends that for normal and subnormal numbers
  // alike.
  const int32_t magnitude = (bits & 0x7fff) << 13;
  const int32_t finite = std::bit_cast<int32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const int32_t infinite = magnitude | 0x7f800000;
  const int32_t nan = infinite | 0x00400000;
  const int32_t special = select_less(0x0f800000, magnitude, nan, infinite);
  const uint32_t sign = (bits & 0x8000u) << 16;
  return std::bit_cast<float>(sign | static_cast<uint32_t>(select_less(magnitude, 0x0f800000, finite, special)));
}

inline uint16_t f16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto magnitude = static_cast<int32_t>(bits & 0x7fffffffu);
  // Normal results: round at bit 13, then move the bias from 127 to 15. Larger ones are replaced below.
  const int32_t odd = (magnitude >> 13) & 1;
  const int32_t normal = (magnitude - 0x38000000 + 0xfff + odd) >> 13;
  // Subnormal results: adding one half aligns the mantissa, and the addition rounds to nearest even.
  const int32_t subnormal = std::bit_cast<int32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const int32_t nan = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  const int32_t finite = select_less(magnitude, 0x38800000, subnormal, normal);
  const int32_t special = select_less(0x7f800000, magnitude, nan, 0x7c00);
  const int32_t result = select_less(magnitude, 0x477ff000, finite, special);
  return static_cast<uint16_t>(static_cast<uint32_t>(result) | ((bits >> 16) & 0x8000u));
}

inline float bf16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t bf16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = ((bits >> 16) & 0x8000u) | 0x7fc0u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

}  // namespace kiln
