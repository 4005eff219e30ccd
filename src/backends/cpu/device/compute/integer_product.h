// Products of small integers: int16 factors, sums in int32 that wrap.
#pragma once
#include <cstdint>

namespace kiln::cpu {

inline constexpr int64_t kIntegerPanel = 16;  // columns of a packed panel

// Rows and panels hold their terms in pairs: a number of terms that is odd is filled up with a zero.
inline int64_t paired(int64_t terms) { return (terms + 1) / 2 * 2; }

// sums[i * kIntegerPanel + j] = sum over t < terms of a[i * terms + t] * panel[(t / 2 * kIntegerPanel + j) * 2 + t % 2], for
// `rows` rows and the columns of one panel. `terms` is even; factors lie in [-2^15 + 1, 2^15 - 1].
void multiply_panel(const int16_t* a, int64_t rows, int64_t terms, const int16_t* panel, int32_t* sums) noexcept;

// to[i] = from[i] - zero, for bytes that are signed or not.
void center(const uint8_t* from, bool is_signed, int16_t zero, int16_t* to, int64_t count) noexcept;

}  // namespace kiln::cpu
