// What the kernels of attention share.
#pragma once
#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {

// What the mask adds to a score; `base` is where the mask of the head begins.
template <class T> __device__ inline float mask_of(const AttentionArguments& a, int64_t base, int query, int key) {
  const int64_t at = base + query * a.mask_at.row + key * a.mask_key;
  switch (a.mask_kind) {
    case MaskKind::kNone: return 0;
    case MaskKind::kAllowed: return static_cast<const uint8_t*>(a.mask)[at] ? 0 : -INFINITY;
    case MaskKind::kAddedF32: return static_cast<const float*>(a.mask)[at];
    default: return to_float(static_cast<const T*>(a.mask)[at]);
  }
}

__device__ inline float added(uint8_t allowed) { return allowed ? 0.0f : -INFINITY; }
template <class M> __device__ inline float added(M x) { return to_float(x); }

// Scores of kTiles tiles of 16 queries as tensor cores have them: a lane has two queries of a tile, and two keys of a square.
template <int kTiles, int kSquares> using Scores = float[kTiles][kSquares][4];

// Where a lane's scores lie: its first query and key.
struct ScorePlace {
  int query, key;
  __device__ int query_of(int tile, int i) const { return query + tile * 16 + i / 2 * 8; }
  __device__ int key_of(int square, int i) const { return key + square * 8 + i % 2; }
};

template <class M, int kTiles, int kSquares>
__device__ inline void fill_scores(Scores<kTiles, kSquares>& scores, const AttentionArguments& a, const M* mask, const ScorePlace& at) {
  const float factor = 1 / a.scale;
  if (a.mask_at.row == 0) {  // every query has the same mask
#pragma unroll
    for (int j = 0; j < kSquares; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int key = at.key_of(j, e);
        const float value = key < a.keys ? added(mask[key * a.mask_key]) * factor : 0;
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) scores[tile][j][e] = scores[tile][j][e + 2] = value;
      }
    return;
  }
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int query = at.query_of(tile, half * 2);
      const M* row = mask + query * a.mask_at.row;
#pragma unroll
      for (int j = 0; j < kSquares; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int key = at.key_of(j, e);
          scores[tile][j][half * 2 + e] = query < a.queries && key < a.keys ? added(row[key * a.mask_key]) * factor : 0;
        }
    }
}

// Begins sums with the mask, such that scaling comes afterwards: all of it is fetched at once.
template <class T, int kTiles, int kSquares>
__device__ inline void begin_scores(Scores<kTiles, kSquares>& scores, const AttentionArguments& a, int64_t base, const ScorePlace& at) {
  switch (a.mask_kind) {
    case MaskKind::kNone:
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
        for (int j = 0; j < kSquares; ++j)
#pragma unroll
          for (int i = 0; i < 4; ++i) scores[tile][j][i] = 0;
      break;
    case MaskKind::kAllowed: fill_scores(scores, a, static_cast<const uint8_t*>(a.mask) + base, at); break;
    case MaskKind::kAddedF32: fill_scores(scores, a, static_cast<const float*>(a.mask) + base, at); break;
    default: fill_scores(scores, a, static_cast<const T*>(a.mask) + base, at);
  }
}

// Whether a query does not see a key.
__device__ inline bool is_hidden(const AttentionArguments& a, int query, int key) {
  return key >= a.keys || (a.causal && key > query);
}

// The larger one; NaN when one is.
__device__ inline float larger(float a, float b) {
#if __CUDA_ARCH__ >= 800
  float r;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
#else
  return Largest()(a, b);
#endif
}

// Weights of scores that are still to be scaled: exp(scale * (score - base)), as powers of two.
class Weights {
 public:
  // No score is above `top`. Where nothing is allowed, any finite number does.
  __device__ Weights(const AttentionArguments& a, float top)
      : factor_(a.scale * 1.44269504f), shift_(top == -INFINITY ? 0 : top * factor_) {}
  __device__ float of(float score) const {
    float weight;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(weight) : "f"(fmaf(score, factor_, -shift_)));
    return weight;
  }

 private:
  float factor_, shift_;
};

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
