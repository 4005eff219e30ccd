// The order of elements as integers.
#pragma once
#include "backends/cuda/device/cu/wide.cuh"

namespace kiln::cuda {

// Keys that compare as elements do: NaN is equal to NaN and beyond everything else, 0 equal to -0.
template <class T> __device__ inline int64_t order_key(T x, bool nan_first) {
  if constexpr (std::is_integral_v<T>) {
    return std::is_same_v<T, uint64_t> ? static_cast<int64_t>(x ^ uint64_t{1} << 63) : static_cast<int64_t>(x);
  } else if constexpr (std::is_same_v<T, double>) {
    if (x != x) return nan_first ? INT64_MIN : INT64_MAX;
    const int64_t bits = __double_as_longlong(x == 0 ? 0.0 : x);
    return bits < 0 ? INT64_MIN - bits : bits;
  } else {
    const float f = widened(x);
    if (f != f) return nan_first ? INT64_MIN : INT64_MAX;
    const int32_t bits = __float_as_int(f == 0 ? 0.0f : f);
    return bits < 0 ? INT32_MIN - int64_t{bits} : bits;
  }
}

}  // namespace kiln::cuda
