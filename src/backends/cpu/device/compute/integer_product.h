// Products of small integers: int16 factors, sums in int32 that wrap.
#pragma once
#include <cstdint>

namespace kiln::cpu {

inline constexpr int64_t kIntegerPanel = 16;  // columns of a packed panel

// Rows and panels hold their terms in pairs: a number of terms that is odd is filled up with a zero.
inline int64_t paired(int64_t terms) { return (terms + 1) / 2 * 2; }

// panel[..] of multiply_panel below: one after the other, of weights(term, column). `packed` holds packed_int16() elements.
inline int64_t packed_int16(int64_t terms, int64_t columns) {
  return paired(terms) * ((columns + kIntegerPanel - 1) / kIntegerPanel * kIntegerPanel);
}
template <class Weights> void pack_int16(int64_t terms, int64_t columns, const Weights& weights, int16_t* packed) {
  for (int64_t panel = 0; panel < columns; panel += kIntegerPanel)
    for (int64_t t = 0; t < paired(terms); t += 2)
      for (int64_t j = panel; j < panel + kIntegerPanel; ++j)
        for (int64_t k = t; k < t + 2; ++k) *packed++ = k < terms && j < columns ? weights(k, j) : int16_t{0};
}

// sums[i * kIntegerPanel + j] = sum over t < terms of a[i * terms + t] * panel[(t / 2 * kIntegerPanel + j) * 2 + t % 2], for
// `rows` rows and the columns of one panel. `terms` is even; of two factors that are multiplied one is not -2^15.
void multiply_panel(const int16_t* a, int64_t rows, int64_t terms, const int16_t* panel, int32_t* sums) noexcept;

// to[i] = from[i] - zero, for bytes that are signed or not.
void center(const uint8_t* from, bool is_signed, int16_t zero, int16_t* to, int64_t count) noexcept;

}  // namespace kiln::cpu
