// Arguments of the kernels of cu/attention.cu.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kAttentionThreads = 128;
inline constexpr int kQueryRows = 64, kKeyRows = 64;  // of a block of the kernels on tensor cores

enum class MaskKind : int32_t { kNone, kAllowed /* bool */, kAddedF32, kAddedLikeQ };

inline constexpr int kShortKeys = 32,
                     kShortWarps = 8;  // of a block over short sequences: keys of a warp at a time, warps at most

// Numbers between rows of a mask in shared memory, such that pairs of eight rows meet all banks.
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr int
    mask_stride(int keys) {
  return keys + 8;
}

// Bytes of shared memory of the kernels over short sequences; mask_rows: of queries with masks of their own, or 1.
constexpr int short_shared(int chunks, int tiles, int warps, int mask_rows) {
  return chunks * (tiles * 16 + warps * 2 * kShortKeys) * 128 + 2 * kShortWarps * tiles * 16 * 4 +
         warps * mask_rows * mask_stride(kShortKeys) * 4;
}
// Of the kernels over blocks of queries: a block of queries, keys and values twice, and the mask.
constexpr int block_shared(int chunks, int mask_rows) {
  return 5 * chunks * kQueryRows * 128 + mask_rows * mask_stride(kKeyRows) * 4;
}

// Elements between neighbours; the elements of a head are adjacent.
struct HeadStrides {
  int64_t batch, head, row;
};

// softmax(scale * q * k^T + mask) * v for each head; neighbouring query heads share keys and values.
struct AttentionArguments {
  const void *q, *k, *v, *mask;
  void* y;
  HeadStrides q_at, k_at, v_at, y_at, mask_at;
  int64_t mask_key;  // elements between keys
  MaskKind mask_kind;
  int32_t batch, heads, heads_per_key_head, queries, keys, size, value_size;
  int32_t mask_period;  // batches b and b + mask_period share a mask
  int32_t causal;       // a query sees the keys up to its own position
  float scale, inverse_scale;
};

}  // namespace kiln::cuda
