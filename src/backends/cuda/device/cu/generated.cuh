// What generated pointwise kernels call. It is compiled at run time: it includes nothing of CUDA's.
#pragma once
#include "backends/cuda/device/cu/basics.cuh"
#include "backends/cuda/device/cu/generated.h"
#include "backends/cuda/device/cu/scalar_math.cuh"
#include "backends/cuda/device/cu/small_floats.cuh"

namespace kiln::cuda {

struct Truth {
  uint8_t byte;
};

template <class A, class B> constexpr bool kSame = false;
template <class A> constexpr bool kSame<A, A> = true;
template <class T> constexpr bool kReal = kSame<T, float> || kSame<T, double>;

// A constant by its bits.
template <class T, class Bits> __device__ inline T from_bits(Bits bits) {
  static_assert(sizeof(T) == sizeof(Bits));
  T value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Between the types in which programs compute.
template <class To, class From> __device__ inline To converted(From x) {
  if constexpr (kSame<To, bool>) return x != From(0);
  else if constexpr (kReal<From> && !kReal<To>) return static_cast<To>(int_from_real(x));
  else return static_cast<To>(x);
}

// An element as a value of the program, and back.
template <class To, class T> __device__ inline To decoded(T element) {
  if constexpr (kSame<T, Truth>) return static_cast<To>(element.byte != 0);
  else if constexpr (kSame<T, Half> || kSame<T, Bfloat>) return to_float(element);
  else return static_cast<To>(element);
}
template <class T, class From> __device__ inline T encoded(From x) {
  if constexpr (kSame<T, Truth>) return {static_cast<uint8_t>(converted<bool>(x))};
  else if constexpr (kSame<T, Half>) return half_of(converted<float>(x));
  else if constexpr (kSame<T, Bfloat>) return bfloat_of(converted<float>(x));
  else if constexpr (kReal<T>) return converted<T>(x);
  else return static_cast<T>(converted<int64_t>(x));
}

// Where a thread's elements lie.
template <int kOperands> struct Place {
  int64_t at[kOperands] = {};
  int lanes = 0;  // 0: nothing to do
};

template <int kLanes, int kOperands>
__device__ inline Place<kOperands> place_of(const GeneratedArguments<kOperands>& p) {
  Place<kOperands> place;
  uint32_t index = blockIdx.x * kGeneratedThreads + threadIdx.x, begin = 0;
  if (index >= p.count) return place;
  for (int axis = p.axes - 1; axis >= 0; --axis) {
    const uint32_t rest = p.dims[axis].quotient(index), digit = index - rest * p.dims[axis].divisor;
    if (axis == p.axes - 1) begin = digit * kLanes;
#pragma unroll
    for (int k = 0; k < kOperands; ++k) place.at[k] += digit * p.operands[k].strides[axis];
    index = rest;
  }
  const uint32_t left = p.inner - begin;
  place.lanes = left < kLanes ? static_cast<int>(left) : kLanes;
  return place;
}

template <class T> __device__ inline T* element(const GeneratedOperand& operand, int64_t at, int64_t lane) {
  return reinterpret_cast<T*>(operand.data) + at + lane * operand.inner;
}

// How an operand goes along the innermost axis.
inline constexpr int kRepeated = 0, kAdjacent = 1, kStrided = 2;

template <int kReach, int kLanes, class T>
__device__ inline void load(T (&to)[kLanes], const GeneratedOperand& operand, int64_t at) {
  if constexpr (kReach == kAdjacent) {
    const auto word = *reinterpret_cast<const Pack<T, kLanes>*>(element<T>(operand, at, 0));
#pragma unroll
    for (int i = 0; i < kLanes; ++i) to[i] = word.at[i];
  } else {
#pragma unroll
    for (int i = 0; i < kLanes; ++i) to[i] = *element<T>(operand, at, kReach == kRepeated ? 0 : i);
  }
}

template <int kReach, int kLanes, class T>
__device__ inline void store(const T (&from)[kLanes], const GeneratedOperand& operand, int64_t at) {
  if constexpr (kReach == kAdjacent) {
    Pack<T, kLanes> word;
#pragma unroll
    for (int i = 0; i < kLanes; ++i) word.at[i] = from[i];
    *reinterpret_cast<Pack<T, kLanes>*>(element<T>(operand, at, 0)) = word;
  } else {
#pragma unroll
    for (int i = 0; i < kLanes; ++i) *element<T>(operand, at, i) = from[i];
  }
}

}  // namespace kiln::cuda
