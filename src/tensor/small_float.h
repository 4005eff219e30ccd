// Formats of floating-point types of 16 bits and fewer, and the one rounding and the one widening routine that serve
// them all. A back end whose compiler wants words before functions that run on its device defines KILN_EVERYWHERE as these.
#pragma once
#include <cstdint>

#include "tensor/convert.h"

#ifndef KILN_EVERYWHERE
#define KILN_EVERYWHERE
#endif

namespace kiln {

// Sign, exponent and mantissa from the top bit down. Codes are magnitudes without the sign. Finite codes are 0 to
// `max`; what `overflow` and `nan` are follows from the format.
struct SmallFormat {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  uint32_t max;        // code of the largest finite value
  uint32_t overflow;   // code of infinity, or of NaN where the format has none
  uint32_t nan;        // code of the NaN that conversions produce
  bool unsigned_zero;  // "uz": the code of -0 is the only NaN
  KILN_EVERYWHERE constexpr int bits() const { return 1 + exponent_bits + mantissa_bits; }
  KILN_EVERYWHERE constexpr uint32_t sign() const { return 1u << (exponent_bits + mantissa_bits); }
};

inline constexpr SmallFormat kFormatF16{5, 10, 15, 0x7bff, 0x7c00, 0x7e00, false};
inline constexpr SmallFormat kFormatBF16{8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, false};
inline constexpr SmallFormat kFormatE4M3FN{4, 3, 7, 0x7e, 0x7f, 0x7f, false};
inline constexpr SmallFormat kFormatE4M3FNUZ{4, 3, 8, 0x7f, 0x80, 0x80, true};
inline constexpr SmallFormat kFormatE5M2{5, 2, 15, 0x7b, 0x7c, 0x7e, false};
inline constexpr SmallFormat kFormatE5M2FNUZ{5, 2, 16, 0x7f, 0x80, 0x80, true};
inline constexpr SmallFormat kFormatE2M1{2, 1, 1, 0x7, 0x7, 0, false};

// Code of |value| rounded to nearest even; above `max` when it overflows. `value` is not NaN.
KILN_EVERYWHERE constexpr uint32_t round_magnitude(const SmallFormat& format, double value) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, value) & ~(uint64_t{1} << 63);
  const int exponent = static_cast<int>(bits >> 52) - 1023;
  if (exponent > format.bias) {
    // One binade above the range of the exponent field: nothing there rounds back to a finite value.
    if (exponent > (1 << format.exponent_bits) - 1 - format.bias) return format.max + 1;
  }
  const int lowest = 1 - format.bias;  // exponent of the smallest normal value
  const int shift = 52 - format.mantissa_bits + (exponent < lowest ? lowest - exponent : 0);
  if (exponent == -1023 || shift > 54) return 0;
  const uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1} << 52);
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t odd = (mantissa >> shift) & 1;
  const auto rounded = static_cast<uint32_t>((mantissa + half - 1 + odd) >> shift);
  if (exponent < lowest) return rounded;
  return (static_cast<uint32_t>(exponent + format.bias - 1) << format.mantissa_bits) + rounded;
}

// What an infinite or too large value becomes: its format's maximum, or infinity or NaN.
KILN_EVERYWHERE constexpr uint32_t encode(const SmallFormat& format, double value, bool saturate) {
  const bool negative = __builtin_bit_cast(uint64_t, value) >> 63;
  const uint32_t sign = negative ? format.sign() : 0;
  if (value != value) return format.nan | (format.unsigned_zero ? 0 : sign);
  uint32_t code = round_magnitude(format, value);
  if (code > format.max) code = saturate ? format.max : format.overflow;
  if (format.unsigned_zero && (code == 0 || code == format.nan)) return code;
  return code | sign;
}

// Value of a code with its sign; a NaN keeps only its sign.
KILN_EVERYWHERE constexpr double decode(const SmallFormat& format, uint32_t code) {
  const uint32_t magnitude = code & (format.sign() - 1);
  const bool negative = code & format.sign();
  const double sign = negative ? -1.0 : 1.0;
  const double nan = __builtin_bit_cast(double, uint64_t{0x7ff8} << 48);
  if (format.unsigned_zero && code == format.nan) return -nan;
  if (magnitude > format.max) {
    const bool infinite = magnitude == format.overflow && format.overflow != format.nan;
    if (infinite) return sign * __builtin_bit_cast(double, uint64_t{0x7ff0} << 48);
    return negative ? -nan : nan;
  }
  const uint32_t field = magnitude >> format.mantissa_bits;
  const uint32_t fraction = magnitude & ((1u << format.mantissa_bits) - 1);
  const uint32_t significand = field ? fraction | (1u << format.mantissa_bits) : fraction;
  const int exponent = static_cast<int>(field ? field : 1) - format.bias - format.mantissa_bits;
  const auto scale = __builtin_bit_cast(double, static_cast<uint64_t>(exponent + 1023) << 52);
  return sign * (static_cast<double>(significand) * scale);
}

// Powers of two: 2^(code - 127); the code 255 is NaN.
KILN_EVERYWHERE constexpr float decode_e8m0(uint32_t code) {
  const uint32_t bits = code == 0xff ? 0x7fc00000u : code == 0 ? 0x00400000u : code << 23;
  return __builtin_bit_cast(float, bits);
}

KILN_EVERYWHERE constexpr uint8_t encode_e8m0(float value, E8M0Rounding rounding, bool saturate) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u || (bits >> 31 && magnitude != 0)) return 0xff;
  if (magnitude == 0x7f800000u) return saturate ? 0xfe : 0xff;
  // The smallest value, 2^-127, is subnormal in float32; below it the exponent field tells nothing.
  if (magnitude < 0x00400000u) return saturate ? 0x00 : 0xff;
  const uint32_t exponent = magnitude >> 23;
  const uint32_t fraction = exponent ? magnitude & 0x7fffffu : (magnitude - 0x00400000u) << 1;
  bool up = false;
  if (rounding == E8M0Rounding::kUp) up = fraction != 0;
  if (rounding == E8M0Rounding::kNearest) up = fraction >= 0x400000u;
  if (up && exponent == 0xfe) return saturate ? 0xfe : 0xff;
  return static_cast<uint8_t>(exponent + up);
}

// Code of a value as a type of 8 bits or fewer holds it. float4 has no NaN: ml_dtypes turns one into a zero of the opposite sign.
KILN_EVERYWHERE constexpr uint8_t encode_f4(double value) {
  if (value != value) return __builtin_bit_cast(uint64_t, value) >> 63 ? 0x0 : 0x8;
  constexpr SmallFormat format = kFormatE2M1;
  return static_cast<uint8_t>(encode(format, value, true));
}

}  // namespace kiln
