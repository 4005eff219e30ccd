// Attention on float32 or bfloat16: softmax(scale * Q K^T + mask) V per head.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// Strides of [batch, heads, sequence, size] in elements; the elements of a row are adjacent.
struct HeadStrides {
  int64_t batch = 0, head = 0, row = 0;
};

struct AttentionShape {
  int64_t batch = 0, heads = 0, kv_heads = 0;  // kv_heads divides heads
  int64_t queries = 0, keys = 0, size = 0, value_size = 0;
  HeadStrides q, k, v, y;
  float scale = 1;
  bool causal = false;  // query i sees keys 0 to i
  // Of the mask over [batch, heads, queries]; rows of `keys` adjacent elements. 0 where it is broadcast.
  int64_t mask_strides[3] = {0, 0, 0};
  int64_t mask_period = 0;  // n > 0: batches b and b + n share a mask
};

// Floats of workspace.
int64_t attention_workspace(const AttentionShape& shape, int threads);
// `mask` is added to the scaled scores; may be null.
void attention(const AttentionShape& shape, const float* q, const float* k, const float* v, const float* mask, float* y,
               float* workspace, int threads) noexcept;

// The same by products of bfloat16 in tiles, with sums and softmax in float32; queries, keys and values, and the result, are bfloat16 or
// float32. Only where multiplies_tiles().
struct NarrowAttention {
  const void *q, *k, *v;
  bool reads_narrow;
  const float* mask;  // may be null
  void* y;
  bool writes_narrow;
};
int64_t narrow_attention_workspace(const AttentionShape& shape, int threads);  // bytes
void narrow_attention(const AttentionShape& shape, const NarrowAttention& data, uint8_t* workspace,
                      int threads) noexcept;

}  // namespace kiln::cpu
