// Integers of 2, 4 and 8 bits, packed one after another, the first in the lowest bits.
#pragma once
#include <cstdint>

namespace kiln::cpu {

struct Codes {
  const uint8_t* bytes = nullptr;
  int bits = 8;
  // What turns codes into numbers without sign in the order of what they stand for: the sign bit, or 0.
  int flip = 0;
  int at(int64_t i) const noexcept {
    const int64_t bit = i * bits;
    return (bytes[bit / 8] >> (bit % 8) & ((1 << bits) - 1)) ^ flip;
  }
};

// to[i] = (codes.at(first + i) - zero) * scale, for i < count.
void dequantize_codes(const Codes& codes, int64_t first, int64_t count, int zero, float scale, float* to) noexcept;

}  // namespace kiln::cpu
