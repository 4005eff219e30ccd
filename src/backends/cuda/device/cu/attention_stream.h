// Arguments of the kernels of cu/attention_stream.cu. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/attention.h"
#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kStreamGroups = 2;  // of four warps, which have 64 queries each
inline constexpr int kStreamQueries = kStreamGroups * kQueryRows;
inline constexpr int kStreamAttentionThreads = kStreamGroups * 128 + 128;  // a thread of the last group copies
inline constexpr int kStreamStages = 4;                                    // of 64 keys and their values
inline constexpr int kQueryBuffers = 2;

// Blocks of a multiprocessor, for heads of so many chunks of 64 elements.
constexpr int stream_attention_blocks(int chunks) { return chunks == 1 ? 2 : 1; }
constexpr int stream_attention_shared(int chunks) {
  return chunks * 128 * (kQueryBuffers * kStreamQueries + kStreamStages * 2 * kKeyRows);
}

// An item is kStreamQueries queries of a head. No mask, or one that all queries of a head share.
struct StreamAttentionArguments : AttentionArguments {
  uint32_t items;
  int32_t mask_step;                         // mask_key
  FastDivisor tiles, head_count, key_share;  // items of a head; heads; heads_per_key_head
  FastDivisor period;                        // mask_period
};

}  // namespace kiln::cuda
