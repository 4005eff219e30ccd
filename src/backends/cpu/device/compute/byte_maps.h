// Bytes made of bytes by a table, and of floats by a scale and a zero point.
#pragma once
#include <cstdint>

#include "device/byte_table.h"

namespace kiln::cpu {

using kiln::kByteTable;

// to[i] = table[from[i]].
void map_bytes(const uint8_t* from, uint8_t* to, int64_t count, const uint8_t* table, int threads) noexcept;

// round(x / scale) + zero, half to even, saturated; NaN becomes the least byte.
struct Quantizer {
  float scale = 1;
  int32_t zero = 0;
  bool is_signed = false;
};
void quantize_floats(const float* from, uint8_t* to, int64_t count, const Quantizer& q, int threads) noexcept;
// The least and the largest of nought and the numbers; NaN is none of them.
struct FloatRange {
  float low = 0, high = 0;
};
FloatRange range_of(const float* from, int64_t count) noexcept;

}  // namespace kiln::cpu
