// Weighted sums of runs of adjacent elements, float32.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// to[i] is the sum over t < terms of weights[t] * x[offsets[t] + i], times scale, for i < count.
void weighted_rows(const float* x, const int64_t* offsets, const float* weights, int64_t terms, float scale,
                   int64_t count, float* to) noexcept;

}  // namespace kiln::cpu
