// Checked integer arithmetic: sizes that come from files or users never wrap.
#pragma once
#include <cstdint>
#include <optional>

namespace kiln {

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
  return r;
}

inline std::optional<int64_t> checked_sub(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_sub_overflow(a, b, &r)) return std::nullopt;
  return r;
}

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
  return r;
}

// The same three, throwing kOverflow with `what` in the message; for the build side.
int64_t add_or_throw(int64_t a, int64_t b, const char* what);
int64_t mul_or_throw(int64_t a, int64_t b, const char* what);

// Floor division and modulo as ONNX and Python define them; b != 0.
inline int64_t floor_div(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}
inline int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }
inline int64_t floor_mod(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }
inline int64_t align_up(int64_t a, int64_t alignment) { return (a + alignment - 1) / alignment * alignment; }

}  // namespace kiln
