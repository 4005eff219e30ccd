// Integers of 2, 4 or 8 bits in a list of bytes, the first in the lowest bits.
#pragma once
#include <cstdint>

namespace kiln::onnx::ops {

inline int64_t packed_code(const uint8_t* bytes, int64_t index, int64_t bits) {
  const int64_t at = index * bits;
  return (bytes[at / 8] >> (at % 8)) & ((1 << bits) - 1);
}

}  // namespace kiln::onnx::ops
