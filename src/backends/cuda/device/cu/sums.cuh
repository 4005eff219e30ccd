// What a kernel does to sums of products of bytes before it stores them: the steps, in float32 and without contraction, so that the
// bytes are those of every other device.
#pragma once
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/sums.h"

namespace kiln::cuda {

__device__ inline int32_t byte_at(const void* bytes, int64_t at, bool is_signed) {
  return is_signed ? static_cast<const int8_t*>(bytes)[at] : static_cast<const uint8_t*>(bytes)[at];
}

// After the kernels before this one.
__device__ inline int32_t x_zero_of(const SumArguments& a) {
  return a.x_zero_at ? byte_at(a.x_zero_at, 0, a.x_is_signed) : a.x_zero;
}

// Eight adjacent columns, from `column` of all groups on, of kRows pixels; of the columns `columns` are there. A pixel beyond the last
// is one that is there, and is not stored.
template <int kRows> struct SumPlace {
  uint32_t pixel[kRows];
  bool stored[kRows];
  uint32_t column;
  int columns;
};

// One float per column, or one for all.
__device__ inline Eight per_column(const SumStepArgument& s, uint32_t column, int columns) {
  const float* from = static_cast<const float*>(s.operand);
  Eight v = {};
#pragma unroll
  for (int j = 0; j < 8; ++j)
    if (j < columns) v.at[j] = from[s.stride ? column + j : 0];
  return v;
}

__device__ inline Eight eight_bytes(const SumStepArgument& s, int64_t at, bool words, int columns) {
  Eight v = {};
  if (words && columns >= 8) {
    const uint2 two = *reinterpret_cast<const uint2*>(static_cast<const uint8_t*>(s.operand) + at);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const uint32_t byte = ((j < 4 ? two.x : two.y) >> (j % 4 * 8)) & 0xff;
      v.at[j] = static_cast<float>(s.is_signed ? static_cast<int32_t>(static_cast<int8_t>(byte)) : static_cast<int32_t>(byte));
    }
  } else {
#pragma unroll
    for (int j = 0; j < 8; ++j)
      if (j < columns) v.at[j] = static_cast<float>(byte_at(s.operand, at + j, s.is_signed));
  }
  return v;
}

template <int kRows, class F> __device__ inline void for_all(Eight (&v)[kRows], F f) {
#pragma unroll
  for (int r = 0; r < kRows; ++r) v[r] = mapped(v[r], f);
}
template <int kRows, class F> __device__ inline void with_all(Eight (&v)[kRows], const Eight& b, F f) {
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int j = 0; j < 8; ++j) v[r].at[j] = f(v[r].at[j], b.at[j]);
}

template <int kRows>
__device__ inline void run_sum_step(const SumStepArgument& s, bool words, const SumPlace<kRows>& at, Eight (&v)[kRows]) {
  const float low = s.low, high = s.high;
  switch (s.kind) {
    case SumStep::kMultiply:
      return with_all(v, per_column(s, at.column, at.columns), [](float x, float b) { return __fmul_rn(x, b); });
    case SumStep::kAdd:
      return with_all(v, per_column(s, at.column, at.columns), [](float x, float b) { return __fadd_rn(x, b); });
    case SumStep::kDivide: return for_all(v, [=](float x) { return __fdiv_rn(x, low); });
    case SumStep::kClamp: return for_all(v, [=](float x) { return fminf(x > low ? x : low, high); });
    case SumStep::kLimit: return for_all(v, [=](float x) { return x < low ? low : x > high ? high : x; });
    case SumStep::kAtLeast: return for_all(v, [=](float x) { return x > low ? x : low; });
    case SumStep::kRound: return for_all(v, [](float x) { return rintf(x); });
    case SumStep::kAddFloats:
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float* from = static_cast<const float*>(s.operand) + at.pixel[r] * s.stride + at.column;
        const Eight b = load_run<float, 8>(from, words, at.columns);
#pragma unroll
        for (int j = 0; j < 8; ++j) v[r].at[j] = __fadd_rn(v[r].at[j], b.at[j]);
      }
      return;
    case SumStep::kAddBytes:
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const Eight b = eight_bytes(s, at.pixel[r] * s.stride + at.column, words, at.columns);
#pragma unroll
        for (int j = 0; j < 8; ++j) v[r].at[j] = __fadd_rn(v[r].at[j], __fmul_rn(__fsub_rn(b.at[j], low), high));
      }
      return;
    default: return;  // the launch refuses other kinds
  }
}

template <class T> __device__ inline void store_eight(T* to, const T (&v)[8], bool words, int columns) {
  if (words && columns >= 8) {
    Pack<T, 8 * sizeof(T) <= 16 ? 8 : 16 / sizeof(T)> packs[8 * sizeof(T) <= 16 ? 1 : sizeof(T) / 2];
    memcpy(packs, v, sizeof v);
#pragma unroll
    for (int i = 0; i < static_cast<int>(sizeof packs / sizeof packs[0]); ++i)
      reinterpret_cast<decltype(&packs[0])>(to)[i] = packs[i];
  } else {
#pragma unroll
    for (int j = 0; j < 8; ++j)
      if (j < columns) to[j] = v[j];
  }
}

template <class T, int kLeast> __device__ inline void store_bytes(const Eight& v, int32_t zero, T* to, bool words, int columns) {
  T bytes[8];
#pragma unroll
  for (int j = 0; j < 8; ++j) bytes[j] = static_cast<T>(min(max(__float2int_rn(v.at[j]) + zero, kLeast), kLeast + 255));
  store_eight(to, bytes, words, columns);
}

// Sums of kRows pixels and eight columns each, stored as the arguments say; `to_pixel`: elements between pixels of the result.
template <int kRows>
__device__ inline void finish_sums(const SumArguments& a, const SumPlace<kRows>& at, int32_t (&sums)[kRows][8], void* y,
                                   int64_t to_pixel) {
  const uint32_t x_zero = static_cast<uint32_t>(x_zero_of(a));
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    if (!a.start || j >= at.columns) continue;
    uint32_t start = static_cast<uint32_t>(a.start[at.column + j]);
    if (a.x_zero_at) start -= x_zero * static_cast<uint32_t>(a.column_sums[at.column + j]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) sums[r][j] = static_cast<int32_t>(static_cast<uint32_t>(sums[r][j]) + start);
  }
  if (a.result == SumArguments::kInt32) {
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      if (at.stored[r])
        store_eight(static_cast<int32_t*>(y) + at.pixel[r] * to_pixel + at.column, sums[r], a.in_words, at.columns);
    return;
  }
  Eight v[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int j = 0; j < 8; ++j) v[r].at[j] = __int2float_rn(sums[r][j]);
#pragma unroll 1
  for (int i = 0; i < a.steps; ++i) run_sum_step(a.step[i], a.in_words, at, v);
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    if (!at.stored[r]) continue;
    const int64_t to = at.pixel[r] * to_pixel + at.column;
    if (a.result == SumArguments::kFloat) store_eight(static_cast<float*>(y) + to, v[r].at, a.in_words, at.columns);
    else if (a.result == SumArguments::kInt8)
      store_bytes<int8_t, -128>(v[r], a.zero, static_cast<int8_t*>(y) + to, a.in_words, at.columns);
    else store_bytes<uint8_t, 0>(v[r], a.zero, static_cast<uint8_t*>(y) + to, a.in_words, at.columns);
  }
}

}  // namespace kiln::cuda
