// Loops over the elements of tensors as arguments of kernels: sizes with a fast division, and each operand's strides. Host and GPU.
#pragma once
#include <cstdint>

namespace kiln::cuda {

// Division by a number that is known when shapes are, as a multiplication. For numbers below 2^31.
struct FastDivisor {
  uint32_t divisor = 1, multiplier = 1, shift = 0;

  // 0, of an axis without elements, counts as 1.
  static FastDivisor of(uint32_t number) {
    const uint32_t divisor = number == 0 ? 1 : number;
    FastDivisor d{divisor, 0, 0};
    while (d.shift < 32 && (uint64_t{1} << d.shift) < divisor) ++d.shift;
    const uint64_t one = 1;
    d.multiplier = static_cast<uint32_t>((one << 32) * ((one << d.shift) - divisor) / divisor + 1);
    return d;
  }
#ifdef __CUDACC__
  __device__ uint32_t quotient(uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
#endif
};

inline constexpr int kMaxAxes = 8;

// `count` elements, below 2^31, of a tensor of `axes` axes, outermost first; strides in elements, per operand.
template <int kOperands> struct Walk {
  uint32_t count = 0;
  int32_t axes = 0;
  FastDivisor dims[kMaxAxes];
  int64_t strides[kOperands][kMaxAxes] = {};

#ifdef __CUDACC__
  // Where element `index` lies in the first `used` operands, in elements.
  __device__ void offsets(uint32_t index, int64_t (&at)[kOperands], int used = kOperands) const {
    for (int k = 0; k < used; ++k) at[k] = 0;
    for (int axis = axes - 1; axis >= 0; --axis) {
      const uint32_t rest = dims[axis].quotient(index);
      const uint32_t digit = index - rest * dims[axis].divisor;
      for (int k = 0; k < used; ++k) at[k] += digit * strides[k][axis];
      index = rest;
    }
  }
#endif
};

}  // namespace kiln::cuda
