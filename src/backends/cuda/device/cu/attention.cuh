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

// A summand of scores that are scaled afterwards. One that is finite stays so: a row of the lowest number weighs all keys alike.
__device__ inline float over_scale(float summand, float inverse_scale) {
  const float quotient = summand * inverse_scale;
  return quotient == -INFINITY && summand != -INFINITY ? -3e38f : quotient;
}

// What the mask adds to scores, in shared memory: a row of numbers for each query, or one for all of them. Scores begin with
// it and are scaled afterwards, so it is divided by the scale. Nobody sees keys beyond the last: the mask takes them away.
template <int kKeys> class MaskTile {
 public:
  static constexpr int kStride = mask_stride(kKeys);

  __device__ MaskTile(const AttentionArguments& a, int64_t base, char* shared)
      : a_(a), base_(base), tile_(reinterpret_cast<float*>(shared)) {}

  // Of `rows` queries from query0 on, by `threads` threads.
  template <class T> __device__ void fill(int query0, int rows, int key0, int thread, int threads) {
    switch (a_.mask_kind) {
      case MaskKind::kNone:
        if (thread < kKeys) tile_[thread] = key0 + thread < a_.keys ? 0 : -INFINITY;
        break;
      case MaskKind::kAllowed: fill_from<uint8_t>(query0, rows, key0, thread, threads); break;
      case MaskKind::kAddedF32: fill_from<float>(query0, rows, key0, thread, threads); break;
      default: fill_from<T>(query0, rows, key0, thread, threads);
    }
  }

  // Scores of the warp's queries from `row` of the tile on.
  template <int kTiles> __device__ void begin(Scores<kTiles, kKeys / 8>& scores, int row) const {
    const int lane = threadIdx.x % 32, step = a_.mask_at.row == 0 ? 0 : kStride;
    const float* from = tile_ + (row + lane / 4) * step + lane % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j) {
          const float2 pair = *reinterpret_cast<const float2*>(from + (tile * 16 + half * 8) * step + j * 8);
          scores[tile][j][half * 2] = pair.x, scores[tile][j][half * 2 + 1] = pair.y;
        }
  }

 private:
  // Several rows at a time, for all of them to be on their way at once.
  template <class M> __device__ void fill_from(int query0, int rows, int key0, int thread, int threads) {
    constexpr int kAtOnce = 16;
    const int at = thread % kKeys, key = key0 + at, step = threads / kKeys;
    const bool is_key = key < a_.keys;
    const M* mask = static_cast<const M*>(a_.mask) + base_ + key * a_.mask_key;
    if (a_.mask_at.row == 0) {
      if (thread < kKeys) tile_[at] = is_key ? over_scale(added(*mask), a_.inverse_scale) : -INFINITY;
      return;
    }
    int query = query0 + thread / kKeys;
    mask += query * a_.mask_at.row;
#pragma unroll 1
    for (int row = thread / kKeys; row < rows; row += kAtOnce * step) {
      M values[kAtOnce];  // fetched without a branch, which would wait for each
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i, mask += step * a_.mask_at.row)
        values[i] = *(is_key && query + i * step < a_.queries ? mask : static_cast<const M*>(a_.mask));
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (row + i * step < rows) {
          const float summand = query + i * step < a_.queries ? over_scale(added(values[i]), a_.inverse_scale) : 0;
          tile_[(row + i * step) * kStride + at] = is_key ? summand : -INFINITY;
        }
      query += kAtOnce * step;
    }
  }

  const AttentionArguments& a_;
  const int64_t base_;
  float* const tile_;
};

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
  // No score is above `top`. Where nothing is allowed, any finite number does. Below a least `top`, what rounding takes from the scaled ones is
  // more than float16 holds as a weight, and more than what makes keys differ: there, a factor of next to nothing weighs all alike but
  // those of -infinity.
  __device__ Weights(const AttentionArguments& a, float top)
      : factor_(a.scale * kBits * top < kLeast ? kNextToNothing : a.scale * kBits), shift_(top == -INFINITY ? 0 : top * factor_) {}
  __device__ float of(float score) const {
    float weight;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(weight) : "f"(fmaf(score, factor_, -shift_)));
    return weight;
  }

 private:
  static constexpr float kBits = 1.44269504f, kLeast = -0x1p26f, kNextToNothing = 0x1p-120f;
  float factor_, shift_;
};

template <class T> __device__ inline uint32_t packed(float low, float high) {
  const Pack<T, 2> pair{from_float<T>(low), from_float<T>(high)};
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Where the squares of a lane lie in a region of rows, swizzled: as few instructions as can be, for all else is known when compiling.
class SquareAddress {
 public:
  // The lane's row among those of its squares, and its piece, 0 or 1.
  __device__ SquareAddress(const char* region, int row, int piece)
      : base_(shared_address(region) + row * kChunkBytes), bits_((piece ^ (row & 7)) * kPieceBytes) {}
  // `rows`, a multiple of 8, and `pieces`, an even number, further; kRows: of the region.
  template <int kRows> __device__ uint32_t at(int rows, int pieces) const {
    return base_ + (pieces % 8 * kPieceBytes ^ bits_) + rows * kChunkBytes + pieces / 8 * kRows * kChunkBytes;
  }

 private:
  uint32_t base_, bits_;
};

// Copies rows of a head while the threads go on, a piece each, to where `place(row, piece)` says; zeros where there is none.
template <int kRows, int kPieces, class Math, class Place>
__device__ inline void copy_head_rows(const typename Math::Element* from, int64_t stride, int row0, int rows, int size, int thread, int threads,
                                      const Place& place) {
  const int piece = thread % kPieces, step = threads / kPieces;
  const bool is_there = piece * kPieceElements<Math> < size;
  const auto* at = from + (row0 + thread / kPieces) * stride + piece * kPieceElements<Math>;
#pragma unroll 2
  for (int row = thread / kPieces; row < kRows; row += step, at += step * stride) {
    const bool wanted = is_there && row0 + row < rows;
    copy_piece(place(row, piece), wanted ? at : from, wanted);
  }
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
    mask = batch % a.mask_period * a.mask_at.batch + head * a.mask_at.head;
  }
};

}  // namespace kiln::cuda
