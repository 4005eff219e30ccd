// Running sums down the rows of a matrix: float32, and integers that wrap.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// Row j of y is the sum of rows 0 to j of x, without row j when `exclusive`; from the last row up when `reverse`. Rows lie `stride` apart.
void running_sums(const float* x, float* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept;
void running_sums(const uint32_t* x, uint32_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept;
void running_sums(const uint64_t* x, uint64_t* y, int64_t rows, int64_t columns, int64_t stride, bool exclusive,
                  bool reverse) noexcept;

}  // namespace kiln::cpu
