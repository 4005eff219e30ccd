// What a kernel does to its results before it stores them.
#pragma once
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/epilogue.h"

namespace kiln::cuda {

// Adjacent results of one row.
struct Eight {
  float at[8];
};

template <class F> __device__ inline Eight mapped(Eight v, F f) {
#pragma unroll
  for (int i = 0; i < 8; ++i) v.at[i] = f(v.at[i]);
  return v;
}

__device__ inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }

// Not inline: kernels that keep many results in registers would hold a copy for each eight of them.
__device__ __noinline__ Eight activated(Activation activation, float alpha, float beta, Eight v) {
  switch (activation) {
    case Activation::kClip:
      return mapped(v, [=](float x) { return x < alpha ? fminf(alpha, beta) : x > beta ? beta : x; });
    case Activation::kLeakyRelu: return mapped(v, [=](float x) { return x < 0 ? alpha * x : x; });
    case Activation::kSigmoid: return mapped(v, [](float x) { return sigmoid(x); });
    case Activation::kTanh: return mapped(v, [](float x) { return tanhf(x); });
    case Activation::kSilu: return mapped(v, [](float x) { return x * sigmoid(x); });
    case Activation::kHardSwish:
      return mapped(v, [](float x) { return x != x ? x : x * fminf(fmaxf(x * (1.0f / 6) + 0.5f, 0.0f), 1.0f); });
    case Activation::kHardSigmoid:
      return mapped(v, [=](float x) { return x != x ? x : fminf(fmaxf(alpha * x + beta, 0.0f), 1.0f); });
    case Activation::kGeluErf: return mapped(v, [](float x) { return 0.5f * x * (1 + erff(x * 0.70710678f)); });
    case Activation::kGeluTanh:
      return mapped(v, [](float x) { return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x))); });
    case Activation::kElu: return mapped(v, [=](float x) { return x < 0 ? alpha * expm1f(x) : x; });
    default: return v;
  }
}

// Eight adjacent results of one row, of which `columns` (at most 8) are stored. The bias has been added already.
// `residual` and `y` point to the first; residual may be null.
template <class T>
__device__ inline void finish(const EpilogueArguments& e, Eight v, const T* residual, T* y, int columns) {
  constexpr int kLanes = 16 / sizeof(T);
  float add[8] = {};
  const bool words = e.in_words && columns >= 8;
  if (residual) {
    if (words) {
#pragma unroll
      for (int i = 0; i < 8; i += kLanes) {
        const auto pack = *reinterpret_cast<const Pack<T, kLanes>*>(residual + i);
#pragma unroll
        for (int j = 0; j < kLanes; ++j) add[i + j] = to_float(pack.at[j]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (i < columns) add[i] = to_float(residual[i]);
    }
    if (!e.residual_after) {
#pragma unroll
      for (int i = 0; i < 8; ++i) v.at[i] += add[i];
    }
  }
  if (e.activation == Activation::kRelu) v = mapped(v, [](float x) { return x < 0 ? 0.0f : x; });
  else if (e.activation != Activation::kNone) v = activated(e.activation, e.alpha, e.beta, v);
  if (residual && e.residual_after) {
#pragma unroll
    for (int i = 0; i < 8; ++i) v.at[i] += add[i];
  }
  if (words) {
#pragma unroll
    for (int i = 0; i < 8; i += kLanes) {
      Pack<T, kLanes> pack;
#pragma unroll
      for (int j = 0; j < kLanes; ++j) pack.at[j] = from_float<T>(v.at[i + j]);
      *reinterpret_cast<Pack<T, kLanes>*>(y + i) = pack;
    }
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (i < columns) y[i] = from_float<T>(v.at[i]);
  }
}

}  // namespace kiln::cuda
