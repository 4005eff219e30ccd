// Reductions of float32 tensors over any set of axes, and the position of the largest element.
#pragma once
#include <cstdint>
#include <span>

#include "device/reduce_kind.h"

namespace kiln::cpu {

using kiln::ReduceKind;

// y is dense over the kept dimensions, in their order. `reduced` holds a bit per dimension; strides are in elements, at most 16
// dimensions. Results do not depend on `threads`. Over no elements: the neutral element; the mean is NaN.
void reduce(ReduceKind kind, std::span<const int64_t> dims, std::span<const int64_t> strides, uint32_t reduced,
            const float* x, float* y, int threads) noexcept;

// Along the middle of the dense [outer, n, inner], n > 0: the index of the largest (or smallest) element; the first of equals, or
// the last. NaN beats all.
void arg_extreme(bool largest, bool last_of_equals, int64_t outer, int64_t n, int64_t inner, const float* x, int64_t* y,
                 int threads) noexcept;

}  // namespace kiln::cpu
