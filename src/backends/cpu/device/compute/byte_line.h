// Tables of bytes that are a line: quantization to another scale, and the limits of what lies between.
#pragma once
#include <cstdint>
#include <optional>

namespace kiln::cpu {

// The byte of a whole number w, rounded to nearest, ties to even, the product in float32: min(max(round(w * factor), low), high) + zero.
struct ByteLine {
  float factor;       // above 0, at most kMostFactor
  int32_t low, high;  // limits of the whole number
  int32_t zero;       // added to it
  bool is_signed;     // the byte that it becomes
  bool saturates;     // the limits are those of the byte, less the zero point
};
inline constexpr float kMostFactor = 1024;

// The line that all 256 bytes of `table` lie on, where there is one. The table's places are bytes w + zero, signed or not.
std::optional<ByteLine> line_of(const uint8_t* table, bool is_signed, int32_t zero) noexcept;

}  // namespace kiln::cpu
