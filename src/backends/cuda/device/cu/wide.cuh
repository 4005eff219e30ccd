// Elements as numbers to compute with: 16-bit floats as float32, all others as they are.
#pragma once
#include <type_traits>

#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {

template <class T> struct WideOf {
  using Type = T;
};
template <> struct WideOf<__half> {
  using Type = float;
};
template <> struct WideOf<__nv_bfloat16> {
  using Type = float;
};
template <class T> using Wide = typename WideOf<T>::Type;
template <class T> __device__ inline Wide<T> widened(T x) {
  if constexpr (std::is_same_v<T, Wide<T>>) return x;
  else return to_float(x);
}
template <class T> __device__ inline T narrowed(Wide<T> x) {
  if constexpr (std::is_same_v<T, Wide<T>>) return x;
  else return from_float<T>(x);
}

}  // namespace kiln::cuda
