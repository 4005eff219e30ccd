// What the kernels of attention share.
#pragma once
#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {

// What is added to a score; `base` is where the mask of the head begins.
template <class T> __device__ inline float mask_of(const AttentionArguments& a, int64_t base, int query, int key) {
  if (a.causal && key > query) return -INFINITY;
  const int64_t at = base + query * a.mask_at.row + key * a.mask_key;
  switch (a.mask_kind) {
    case MaskKind::kNone: return 0;
    case MaskKind::kAllowed: return static_cast<const uint8_t*>(a.mask)[at] ? 0 : -INFINITY;
    case MaskKind::kAddedF32: return static_cast<const float*>(a.mask)[at];
    default: return to_float(static_cast<const T*>(a.mask)[at]);
  }
}

template <class T> __device__ inline uint32_t packed(float low, float high) {
  const Pack<T, 2> pair{from_float<T>(low), from_float<T>(high)};
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// The tensors of one head, as the grid's y and z choose it.
template <class T> struct HeadPointers {
  const T *q, *k, *v;
  T* y;
  int64_t mask;
  __device__ explicit HeadPointers(const AttentionArguments& a) {
    const int head = blockIdx.y, batch = blockIdx.z, key_head = head / a.heads_per_key_head;
    q = static_cast<const T*>(a.q) + batch * a.q_at.batch + head * a.q_at.head;
    k = static_cast<const T*>(a.k) + batch * a.k_at.batch + key_head * a.k_at.head;
    v = static_cast<const T*>(a.v) + batch * a.v_at.batch + key_head * a.v_at.head;
    y = static_cast<T*>(a.y) + batch * a.y_at.batch + head * a.y_at.head;
    mask = batch * a.mask_at.batch + head * a.mask_at.head;
  }
};

}  // namespace kiln::cuda
