// What a kernel does to its results before it stores them.
#pragma once
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

// Adjacent results of one row.
template <int N> struct Run {
  float at[N];
};
using Eight = Run<8>;

template <int N, class F> __device__ inline Run<N> mapped(Run<N> v, F f) {
#pragma unroll
  for (int i = 0; i < N; ++i) v.at[i] = f(v.at[i]);
  return v;
}

// One instruction each, right to the last bits but for denormal numbers, which are 0.
__device__ inline float reciprocal(float x) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
__device__ inline float exponential(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x * 1.44269504f));
  return r;
}

// Right to a millionth or so.
__device__ inline float sigmoid(float x) { return reciprocal(1.0f + exponential(-x)); }

// x (1 + erf(x / sqrt 2)) / 2 to a millionth: (1 - erf) / 2 of |x| / sqrt 2 is a power of two whose exponent is nearly a polynomial in |x|.
__device__ inline float gelu(float x) {
  constexpr float kNought = 14;  // from here on it is 0
  const float a = fminf(fabsf(x), kNought);
  float exponent = -1.75778599e-6f, tail;
  for (float factor : {5.99368225e-5f, -9.16365431e-4f, 8.44739864e-3f, -5.38245390e-2f, -0.458615653f, -1.15118020f, -1.00000387f})
    exponent = fmaf(exponent, a, factor);
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(tail) : "f"(exponent));
  return x * (x >= 0 ? 1 - tail : tail);
}

// The same for results of 16 bits, which it misses by a seventh of the last one of float16 at most, in fewer instructions (of compute capability 8.0).
__device__ inline float short_gelu(float x) {
  float a, exponent = -3.33314791e-4f, tail;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(a) : "f"(fabsf(x)), "f"(30.0f));  // from there on it is 0
  for (float factor : {5.95129421e-3f, -4.86517027e-2f, -0.463565856f, -1.14942932f, -1.00010335f}) exponent = fmaf(exponent, a, factor);
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(tail) : "f"(exponent));
  return fmaf(-fmaxf(a, -x), tail, fmaxf(x, 0.0f));  // no share of -infinity is a number
}

__device__ inline float silu(float x) { return x * sigmoid(x); }
__device__ inline float hard_swish(float x) { return x * __saturatef(x * (1.0f / 6) + 0.5f); }  // NaN times 0 is NaN

// Not inline: kernels that keep many results in registers would hold a copy for each run of them.
template <int N> __device__ __noinline__ Run<N> rarely_activated(Activation activation, float alpha, float beta, Run<N> v) {
  switch (activation) {
    case Activation::kClip:
      return mapped(v, [=](float x) { return x < alpha ? fminf(alpha, beta) : x > beta ? beta : x; });
    case Activation::kLeakyRelu: return mapped(v, [=](float x) { return x < 0 ? alpha * x : x; });
    case Activation::kSigmoid: return mapped(v, [](float x) { return sigmoid(x); });
    case Activation::kTanh: return mapped(v, [](float x) { return tanhf(x); });
    case Activation::kHardSigmoid:
      return mapped(v, [=](float x) { return x != x ? x : __saturatef(alpha * x + beta); });
    case Activation::kGeluErf: return mapped(v, [](float x) { return gelu(x); });
    case Activation::kGeluTanh:  // (1 + tanh(u)) / 2 is sigmoid(2 u)
      return mapped(v, [](float x) { return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x)); });
    case Activation::kElu: return mapped(v, [=](float x) { return x < 0 ? alpha * expm1f(x) : x; });
    default: return v;
  }
}

// Those of convolutional networks, of few instructions, are no call: around one, what a kernel keeps in registers goes through memory.
template <int N> __device__ inline Run<N> activated(Activation activation, float alpha, float beta, const Run<N>& v) {
  if (activation == Activation::kNone) return v;
  if (activation == Activation::kRelu) return mapped(v, [](float x) { return x < 0 ? 0.0f : x; });
  if (activation == Activation::kSilu) return mapped(v, silu);
  if (activation == Activation::kHardSwish) return mapped(v, hard_swish);
  return rarely_activated(activation, alpha, beta, v);
}

// Words of at most 16 bytes that a run of T is read and written in.
template <class T, int N> constexpr int kWordLanes = N * sizeof(T) < 16 ? N : 16 / sizeof(T);

// A run of which `columns` (at most N) are there; zeros for the others.
template <class T, int N> __device__ inline Run<N> load_run(const T* from, bool words, int columns) {
  constexpr int kLanes = kWordLanes<T, N>;
  Run<N> v = {};
  if (words && columns >= N) {
#pragma unroll
    for (int i = 0; i < N; i += kLanes) {
      const auto pack = *reinterpret_cast<const Pack<T, kLanes>*>(from + i);
#pragma unroll
      for (int j = 0; j < kLanes; ++j) v.at[i + j] = to_float(pack.at[j]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (i < columns) v.at[i] = to_float(from[i]);
  }
  return v;
}

template <class T, int N> __device__ inline Run<N> run_of(const Pack<T, N>& pack) {
  Run<N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) v.at[i] = to_float(pack.at[i]);
  return v;
}

template <class T, int N> __device__ inline void store_run(T* to, const Run<N>& v, bool words, int columns) {
  constexpr int kLanes = kWordLanes<T, N>;
  if (words && columns >= N) {
#pragma unroll
    for (int i = 0; i < N; i += kLanes) {
      Pack<T, kLanes> pack;
#pragma unroll
      for (int j = 0; j < kLanes; ++j) pack.at[j] = from_float<T>(v.at[i + j]);
      *reinterpret_cast<Pack<T, kLanes>*>(to + i) = pack;
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (i < columns) to[i] = from_float<T>(v.at[i]);
  }
}

// activation(v [+ add]) [+ add]. The bias has been added already; `add` is zero where there is no residual.
template <int N, class Activate>
__device__ inline Run<N> with_epilogue(const EpilogueArguments& e, Run<N> v, const Run<N>& add, Activate activate) {
  if (e.residual && !e.residual_after) {
#pragma unroll
    for (int i = 0; i < N; ++i) v.at[i] += add.at[i];
  }
  v = activate(v);
  if (e.residual && e.residual_after) {
#pragma unroll
    for (int i = 0; i < N; ++i) v.at[i] += add.at[i];
  }
  return v;
}
template <int N> __device__ inline Run<N> with_epilogue(const EpilogueArguments& e, const Run<N>& v, const Run<N>& add) {
  return with_epilogue(e, v, add, [&](const Run<N>& sum) { return activated(e.activation, e.alpha, e.beta, sum); });
}

// Where a run of results lies: its row, its first column, and how many columns there are from that on.
struct RunPlace {
  uint32_t row, column;
  int columns;
};

// What is fetched ahead for a run of eight results of 16 bits: residuals in whole words.
#if defined(KILN_EPILOGUE_PROGRAM)
inline constexpr bool kRunsPrograms = true;
struct EarlyRun {
  uint4 residual, second;
};
template <class T, int N> __device__ __noinline__ Run<N> by_program(const EpilogueArguments& e, Run<N> v, const T* residual, RunPlace place);
#else
inline constexpr bool kRunsPrograms = false;
struct EarlyRun {
  uint4 residual;
};
__device__ inline bool fetches_early(const EpilogueArguments& e) { return e.residual && e.in_words; }
__device__ inline bool finishes_early(const EpilogueArguments& e) { return e.in_words; }
template <class T> __device__ inline void fetch_early(const EpilogueArguments& e, int64_t row, uint32_t column, EarlyRun& early) {
  early.residual = *reinterpret_cast<const uint4*>(static_cast<const T*>(e.residual) + row * e.residual_stride + column);
}
template <class T> __device__ inline Eight finished_early(const EpilogueArguments& e, const Eight& v, const EarlyRun& early) {
  return with_epilogue(e, v, load_run<T, 8>(reinterpret_cast<const T*>(&early.residual), true, 8));
}
#endif

// Adjacent results of one row, stored as far as they are there. The bias has been added already.
// `residual` and `y` point to the first; residual may be null.
template <class T, int N>
__device__ inline void finish(const EpilogueArguments& e, const Run<N>& v, const T* residual, T* y, RunPlace place) {
#if defined(KILN_EPILOGUE_PROGRAM)
  store_run(y, by_program(e, v, residual, place), e.in_words, place.columns);
#else
  Run<N> add = {};
  if (residual) add = load_run<T, N>(residual, e.in_words, place.columns);
  store_run(y, with_epilogue(e, v, add), e.in_words, place.columns);
#endif
}

}  // namespace kiln::cuda
