// Attention over many queries for compute capability 9.0. A block goes from item to item: one thread fetches queries, keys and values for
// the items to come, two groups of four warps multiply, and results leave from where the queries lay.
#include "backends/cuda/device/cu/attention_stream.h"

#include <type_traits>

#include "backends/cuda/device/cu/attention.cuh"
#include "backends/cuda/device/cu/hopper.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// kChunks chunks of 64 elements hold a head.
template <class Math, int kChunks> class StreamAttention {
 public:
  struct Maps {
    const CUtensorMap &q, &k, &v, &y;
  };
  __device__ StreamAttention(const Maps& maps, const StreamAttentionArguments& arguments, char* shared)
      : maps_(maps), a_(arguments), queries_(shared), stages_(shared + kQueryBuffers * kQueryBytes) {}

  __device__ void run() {
    __shared__ __align__(8) Barriers barriers;
    b_ = &barriers;
    let_next_start();
    if (threadIdx.x == kCopyThread) {
      for (const CUtensorMap* map : {&maps_.q, &maps_.k, &maps_.v, &maps_.y}) fetch_map(*map);
      for (int i = 0; i < kQueryBuffers; ++i) {
        init_barrier(&b_->queries[i], 1);
        init_barrier(&b_->left[i], kStreamGroups);
      }
      for (int i = 0; i < kStreamStages; ++i) {
        init_barrier(&b_->full[i], 1);
        init_barrier(&b_->empty[i], kStreamGroups);
      }
      publish_barriers();
    }
    __syncthreads();
    wait_for_inputs();
    if (threadIdx.x < kCopyThread) {
      take_registers<kChunks == 1 ? 104 : 216>();
      consume();
    } else {
      keep_registers<24>();
      if (threadIdx.x == kCopyThread) produce();
    }
  }

 private:
  using T = typename Math::Element;
  struct Barriers {
    uint64_t queries[kQueryBuffers], left[kQueryBuffers];  // queries are there; their results have left
    uint64_t full[kStreamStages], empty[kStreamStages];
  };
  struct Item {
    int query0, head, batch, blocks;  // blocks: of keys
  };
  static constexpr int kCopyThread = kStreamGroups * 128;
  static constexpr int kGroupBytes = kQueryRows * kChunkBytes, kChunkOfQueries = kStreamGroups * kGroupBytes;
  static constexpr int kQueryBytes = kChunks * kChunkOfQueries;
  static constexpr int kBlockBytes = kKeyRows * kChunkBytes, kKeyBytes = kChunks * kBlockBytes, kStageBytes = 2 * kKeyBytes;
  static constexpr int kSquares = kKeyRows / 8, kSums = kKeyRows / 2;  // squares of eight columns and sums of a thread, of 64 rows

  // [chunk][query] and [keys, values][chunk][key]
  __device__ char* buffer(uint32_t index) const { return queries_ + index * kQueryBytes; }
  __device__ char* stage(uint32_t index) const { return stages_ + index * kStageBytes; }
  __device__ static uint32_t group() { return threadIdx.x / 128; }

  __device__ Item item_at(uint32_t index) const {
    const uint32_t head = a_.tiles.quotient(index), batch = a_.head_count.quotient(head);
    const int query0 = static_cast<int>(index - head * a_.tiles.divisor) * kStreamQueries;
    const int keys = a_.causal ? min(a_.keys, query0 + kStreamQueries) : a_.keys;
    return {query0, static_cast<int>(head - batch * a_.head_count.divisor), static_cast<int>(batch), (keys + kKeyRows - 1) / kKeyRows};
  }

  __device__ void produce() const {
    Turn turn, query_turn;
    for (uint32_t index = blockIdx.x; index < a_.items; index += gridDim.x, query_turn.next(kQueryBuffers)) {
      const Item item = item_at(index);
      const int key_head = static_cast<int>(a_.key_share.quotient(static_cast<uint32_t>(item.head)));
      uint64_t* arrived = &b_->queries[query_turn.index];
      wait(&b_->left[query_turn.index], query_turn.parity ^ 1);
      arrive_expecting(arrived, kQueryBytes);
      for (int chunk = 0; chunk < kChunks; ++chunk)
        copy_box(buffer(query_turn.index) + chunk * kChunkOfQueries, maps_.q, chunk * kChunkElements<Math>, item.query0, item.head, item.batch,
                 arrived);
#pragma unroll 1
      for (int block = 0; block < item.blocks; ++block, turn.next(kStreamStages)) {
        uint64_t* full = &b_->full[turn.index];
        wait(&b_->empty[turn.index], turn.parity ^ 1);
        arrive_expecting(full, kStageBytes);
        for (int chunk = 0; chunk < kChunks; ++chunk) {
          char* to = stage(turn.index) + chunk * kBlockBytes;
          copy_box(to, maps_.k, chunk * kChunkElements<Math>, block * kKeyRows, key_head, item.batch, full);
          copy_box(to + kKeyBytes, maps_.v, chunk * kChunkElements<Math>, block * kKeyRows, key_head, item.batch, full);
        }
      }
    }
  }

  __device__ void consume() {
    switch (a_.mask_kind) {
      case MaskKind::kNone: return consume_with<NoMask>();
      case MaskKind::kAllowed: return consume_with<uint8_t>();
      case MaskKind::kAddedF32: return consume_with<float>();
      default: return consume_with<T>();
    }
  }

  // M: an element of the mask.
  template <class M> __device__ void consume_with() {
    const bool speaks = threadIdx.x % 128 == 0;
    Turn turn, query_turn;
    for (uint32_t index = blockIdx.x; index < a_.items; index += gridDim.x, query_turn.next(kQueryBuffers)) {
      const Item item = item_at(index);
      const MaskOfKeys<M> mask(a_, item);
      begin_item();
      wait(&b_->queries[query_turn.index], query_turn.parity);
      for (int block = 0; block < item.blocks; ++block, turn.next(kStreamStages)) {
        const int first_key = block * kKeyRows;
        typename MaskOfKeys<M>::Values added_scores;  // on their way while the keys are multiplied
        mask.load(added_scores, first_key);
        float scores[kSums] = {};
        wait(&b_->full[turn.index], turn.parity);
        multiply_keys(scores, buffer(query_turn.index), stage(turn.index));
        mask.add(added_scores, scores);
        if (a_.causal && first_key + kKeyRows > item.query0 + static_cast<int>(group()) * kQueryRows) hide(scores, item, block);
        if (first_key + kKeyRows > a_.keys) cut(scores, block);
        weigh(scores, block == 0);
        add_values(scores, stage(turn.index) + kKeyBytes);
        if (speaks) arrive(&b_->empty[turn.index]);
      }
      store(item, buffer(query_turn.index));
      if (speaks) arrive(&b_->left[query_turn.index]);
    }
  }

  struct NoMask {};
  // What the mask adds to the scores of a lane's keys: they are scaled with it afterwards.
  template <class M> class MaskOfKeys {
   public:
    struct Values {
      M at[kSquares * 2];
    };
    __device__ MaskOfKeys(const StreamAttentionArguments& a, const Item& item)
        : a_(a), from_(static_cast<const M*>(a.mask) + batch_of(a, item) * a.mask_at.batch + item.head * a.mask_at.head),
          in_pairs_(a.mask_step == 1 && reinterpret_cast<uintptr_t>(from_) % (2 * sizeof(M)) == 0) {}

    __device__ void load(Values& values, int first_key) const {
      if constexpr (std::is_same_v<M, NoMask>) return;
      const int key0 = first_key + threadIdx.x % 4 * 2;
      if (in_pairs_ && first_key + kKeyRows <= a_.keys) {
        const auto* from = reinterpret_cast<const Pack<M, 2>*>(from_ + key0);
#pragma unroll
        for (int i = 0; i < kSquares; ++i) {
          const Pack<M, 2> pair = from[i * 4];
          values.at[i * 2] = pair.at[0], values.at[i * 2 + 1] = pair.at[1];
        }
        return;
      }
#pragma unroll
      for (int i = 0; i < kSquares * 2; ++i) values.at[i] = from_[min(key0 + i / 2 * 8 + i % 2, a_.keys - 1) * a_.mask_step];
    }
    __device__ void add(const Values& values, float (&scores)[kSums]) const {
      if constexpr (!std::is_same_v<M, NoMask>) {
#pragma unroll
        for (int i = 0; i < kSquares * 2; ++i) {
          const float summand = over_scale(added(values.at[i]), a_.inverse_scale);
          scores[i / 2 * 4 + i % 2] += summand;
          scores[i / 2 * 4 + 2 + i % 2] += summand;
        }
      }
    }

   private:
    __device__ static int batch_of(const StreamAttentionArguments& a, const Item& item) {
      const auto batch = static_cast<uint32_t>(item.batch);
      return static_cast<int>(batch - a.period.quotient(batch) * a.period.divisor);
    }
    const StreamAttentionArguments& a_;
    const M* from_;
    const bool in_pairs_;
  };

  __device__ void begin_item() {
#pragma unroll
    for (int half = 0; half < 2; ++half) top_[half] = -INFINITY, sum_[half] = 0;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
      for (int i = 0; i < kSums; ++i) results_[chunk][i] = 0;
  }

  __device__ static int key_of(int block, int square, int i) { return block * kKeyRows + square * 8 + threadIdx.x % 4 * 2 + i % 2; }
  // Of the group's 64.
  __device__ static int row_of(int half) { return static_cast<int>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4) + half * 8; }

  // The matrix so many bytes further on.
  __device__ static uint64_t further(uint64_t matrix, int bytes) { return matrix + bytes / 16; }

  __device__ static void multiply_keys(float (&scores)[kSums], const char* queries, const char* keys) {
    const uint64_t left = matrix_at(shared_address(queries) + group() * kGroupBytes), right = matrix_at(shared_address(keys));
    settle(scores);
    begin_products();
#pragma unroll
    for (int step = 0; step < kChunks * 4; ++step)
      GroupProduct<Math, kKeyRows>::add(scores, further(left, step / 4 * kChunkOfQueries + step % 4 * 32),
                                        further(right, step / 4 * kBlockBytes + step % 4 * 32));
    commit_products();
    wait_for_products<0>();
    settle(scores);
  }

  // What comes later than a query.
  __device__ static void hide(float (&scores)[kSums], const Item& item, int block) {
#pragma unroll
    for (int square = 0; square < kSquares; ++square)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (key_of(block, square, i) > item.query0 + static_cast<int>(group()) * kQueryRows + row_of(i / 2)) scores[square * 4 + i] = -INFINITY;
  }

  // What is beyond the last key.
  __device__ void cut(float (&scores)[kSums], int block) const {
#pragma unroll
    for (int square = 0; square < kSquares; ++square)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (key_of(block, square, i) >= a_.keys) scores[square * 4 + i] = -INFINITY;
  }

  // Scores become weights; what was summed up before is scaled down to them. Nothing was before those of the first block.
  __device__ void weigh(float (&scores)[kSums], bool is_first) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = top_[half];
#pragma unroll
      for (int square = 0; square < kSquares; ++square)
        top = larger(top, larger(scores[square * 4 + half * 2], scores[square * 4 + half * 2 + 1]));
      for (int step = 1; step < 4; step *= 2) top = larger(top, __shfl_xor_sync(kAllLanes, top, step));
      const Weights weights(a_, top);
      const float factor = weights.of(top_[half]);
      top_[half] = top;
      float sum = sum_[half] * factor;
#pragma unroll
      for (int square = 0; square < kSquares; ++square)
#pragma unroll
        for (int i = square * 4 + half * 2; i < square * 4 + half * 2 + 2; ++i) sum += scores[i] = weights.of(scores[i]);
      sum_[half] = sum;
      if (is_first || !__any_sync(kAllLanes, factor != 1)) continue;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
        for (int i = 0; i < kSums; ++i)
          if (i / 2 % 2 == half) results_[chunk][i] *= factor;
    }
  }

  __device__ void add_values(const float (&weights)[kSums], const char* values) {
    uint32_t left[kSquares / 2][4];  // of sixteen keys each
#pragma unroll
    for (int i = 0; i < kSums / 2; ++i) left[i / 4][i % 4] = packed<T>(weights[i * 2], weights[i * 2 + 1]);
    const uint64_t right = matrix_at(shared_address(values));
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) settle(results_[chunk]);
    begin_products();
#pragma unroll
    for (int step = 0; step < kSquares / 2; ++step)
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        RegisterProduct<Math>::add(results_[chunk], left[step], further(right, chunk * kBlockBytes + step * 16 * kChunkBytes));
    commit_products();
    wait_for_products<0>();
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) settle(results_[chunk]);
  }

  // Results take the place of the group's queries, and have been read when this returns to its first thread.
  __device__ void store(const Item& item, char* buffer) const {
    char* to = buffer + group() * kGroupBytes;
    join_group();  // nobody reads the queries any more
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = sum_[half];
      for (int step = 1; step < 4; step *= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
      const float share = __fdividef(1.0f, sum);
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
        for (int square = 0; square < kSquares; ++square) {
          char* at = to + chunk * kChunkOfQueries + swizzled(row_of(half), square) + threadIdx.x % 4 * sizeof(uint32_t);
          const float(&from)[kSums] = results_[chunk];
          const int first = square * 4 + half * 2;
          *reinterpret_cast<uint32_t*>(at) = packed<T>(from[first] * share, from[first + 1] * share);
        }
    }
    publish_to_copy_engine();
    join_group();
    if (threadIdx.x % 128 != 0) return;
    const int query0 = item.query0 + static_cast<int>(group()) * kQueryRows;
    for (int chunk = 0; chunk < kChunks; ++chunk)
      if (query0 < a_.queries && chunk * kChunkElements<Math> < a_.value_size)
        store_box(maps_.y, to + chunk * kChunkOfQueries, chunk * kChunkElements<Math>, query0, item.head, item.batch);
    commit_stores();
    wait_for_stores_to_read();
  }

  const Maps& maps_;
  const StreamAttentionArguments& a_;
  char *const queries_, *const stages_;
  Barriers* b_;
  float top_[2], sum_[2];
  float results_[kChunks][kSums];
};

template <class Math, int kChunks>
__device__ void attend_stream(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const CUtensorMap& y,
                              const StreamAttentionArguments& a) {
  extern __shared__ char unaligned[];
  char* shared = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  const typename StreamAttention<Math, kChunks>::Maps maps{q, k, v, y};
  StreamAttention<Math, kChunks>(maps, a, shared).run();
}

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_STREAM_ATTENTION(name, math, chunks)                                                                                   \
  extern "C" __global__ void __launch_bounds__(kStreamAttentionThreads, stream_attention_blocks(chunks))                           \
      attention_stream_##name##_##chunks(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k,             \
                                         const __grid_constant__ CUtensorMap v, const __grid_constant__ CUtensorMap y,             \
                                         const __grid_constant__ StreamAttentionArguments a) {                                     \
    attend_stream<math, chunks>(q, k, v, y, a);                                                                                    \
  }
KILN_STREAM_ATTENTION(f16, MathF16, 1)
KILN_STREAM_ATTENTION(f16, MathF16, 2)
KILN_STREAM_ATTENTION(bf16, MathBF16, 1)
KILN_STREAM_ATTENTION(bf16, MathBF16, 2)
#endif

}  // namespace kiln::cuda
