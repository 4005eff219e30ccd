// Weighted sums of scattered elements, float32.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// to[i] is the sum over t < terms of weights[t * stride + i] * x[offsets[t * stride + i]], times scale[i] unless scale is null. A
// negative offset adds nothing. x is not empty.
void weighted_gather(const float* x, const int32_t* offsets, const float* weights, const float* scale, int64_t terms,
                     int64_t stride, int64_t count, float* to) noexcept;

}  // namespace kiln::cpu
