// Convolutions and products of many rows for compute capability 9.0. Each multiprocessor has one block that goes from tile to tile:
// one thread fetches chunks and residuals for the tiles to come, two groups of four warps multiply, and one thread stores results
// from shared memory, so that neither the products nor the memory wait for each other. Where activations take long, three
// warps more finish a tile in shared memory while the next one is multiplied.
#include "backends/cuda/device/cu/conv_stream.h"

#include "backends/cuda/device/cu/conv_boxes.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

template <class Math, int kTile, bool kApart> class StreamBlock {
 public:
  struct Maps {
    const CUtensorMap &source, &residual, &result;
  };
  __device__ StreamBlock(const Maps& maps, const ConvStreamArguments& arguments, char* shared)
      : maps_(maps), a_(arguments), stages_(shared), buffers_(shared + a_.stages * kStageBytes) {}

  __device__ void run() {
    __shared__ __align__(8) Barriers barriers;
    b_ = &barriers;
    let_next_start();
    if (threadIdx.x == 0) {
      fetch_map(maps_.source);
      fetch_map(maps_.result);
      if (a_.epilogue.residual) fetch_map(maps_.residual);
      for (uint32_t i = 0; i < a_.stages; ++i) {
        init_barrier(&b_->full[i], 1);
        init_barrier(&b_->empty[i], kGroups);
      }
      for (uint32_t i = 0; i < a_.buffers; ++i) {
        init_barrier(&b_->residual[i], 1);
        init_barrier(&b_->done[i], kGroups * 128);
        init_barrier(&b_->finished[i], kFinishThreads);
        init_barrier(&b_->stored[i], 1);
      }
      publish_barriers();
    }
    __syncthreads();
    constexpr int kMany = kApart ? 216 : 224, kFew = kApart ? 72 : 56;
    // A block that asks for more registers than it was launched with waits for ever.
    static_assert(kGroups * kMany + kFew <= 3 * (65536 / kStreamThreads / 8 * 8));
    if (threadIdx.x < kGroups * 128) {
      take_registers<kMany>();
      consume();
    } else {
      keep_registers<kFew>();
      if (threadIdx.x == kCopyThread) produce();
      if (threadIdx.x < kCopyThread + 32) return;
      if constexpr (kApart) finish_apart();
      else if (threadIdx.x == kCopyThread + 32) drain();
    }
  }

 private:
  using T = typename Math::Element;
  struct Barriers {
    uint64_t full[kMaxStages], empty[kMaxStages];
    uint64_t residual[kMaxBuffers], done[kMaxBuffers], finished[kMaxBuffers], stored[kMaxBuffers];
  };
  struct Place {
    uint32_t column_tile;
    TileOrigin origin;
  };
  static constexpr StreamTile kShape = kStreamTiles[kTile];
  static constexpr int kGroups = 2, kCopyThread = kGroups * 128, kFinishThreads = 3 * 32;
  static constexpr int kSquares = kShape.rows / (kGroups * 64);  // of 64 rows, of a group
  static constexpr int kSums = kShape.columns / 2;                            // of a thread, in each square
  static constexpr int kSourceBytes = kShape.rows * kChunkBytes, kWeightBytes = kShape.columns * kChunkBytes;
  static constexpr int kSlabColumns = kChunkBytes / sizeof(T), kSlabs = kShape.columns / kSlabColumns;
  static constexpr int kSlabBytes = kShape.rows * kChunkBytes, kStageBytes = kShape.stage(), kBufferBytes = kShape.result();

  __device__ char* stage(uint32_t index) const { return stages_ + index * kStageBytes; }
  __device__ char* buffer(uint32_t index) const { return buffers_ + index * kBufferBytes; }

  // Blocks that run at the same time share rows.
  __device__ Place place_of(uint32_t tile) const {
    const uint32_t row_tile = a_.column_tiles.quotient(tile);
    return {tile - row_tile * a_.column_tiles.divisor, origin_of(a_, row_tile)};
  }

  __device__ void produce() const {
    Turn stage_turn, buffer_turn;
    uint32_t fetched = 0;  // weights of the first tile
    if (a_.weights_are_constant && blockIdx.x < a_.tiles)
      for (; fetched < min(a_.stages, a_.chunks); ++fetched) fetch_weights(place_of(blockIdx.x), fetched, fetched);
    wait_for_inputs();
    for (uint32_t tile = blockIdx.x; tile < a_.tiles; tile += gridDim.x, buffer_turn.next(a_.buffers)) {
      const Place place = place_of(tile);
      for (uint32_t chunk = 0; chunk < a_.chunks; ++chunk, stage_turn.next(a_.stages)) {
        if (tile != blockIdx.x || chunk >= fetched) {
          wait(&b_->empty[stage_turn.index], stage_turn.parity ^ 1);
          fetch_weights(place, chunk, stage_turn.index);
        }
        fetch_source<Math>(a_, maps_.source, place.origin, chunk, stage(stage_turn.index), &b_->full[stage_turn.index]);
      }
      if (a_.epilogue.residual) fetch_residual(place, buffer_turn);
    }
  }

  __device__ void fetch_weights(const Place& place, uint32_t chunk, uint32_t index) const {
    cuda::fetch_weights<kWeightBytes>(a_, place.column_tile, chunk, stage(index) + kSourceBytes, &b_->full[index]);
  }

  __device__ void fetch_residual(const Place& place, const Turn& turn) const {
    wait(&b_->stored[turn.index], turn.parity ^ 1);
    arrive_expecting(&b_->residual[turn.index], kSlabs * a_.box_bytes);
    for (int slab = 0; slab < kSlabs; ++slab)
      copy_box(buffer(turn.index) + slab * kSlabBytes, maps_.residual,
               static_cast<int>(place.column_tile * kShape.columns + slab * kSlabColumns), static_cast<int>(place.origin.w),
               static_cast<int>(place.origin.h), static_cast<int>(place.origin.n), &b_->residual[turn.index]);
  }

  // Results leave as they are done.
  __device__ void drain() const {
    wait_for_inputs();
    Turn turn;
    for (uint32_t tile = blockIdx.x; tile < a_.tiles; tile += gridDim.x, turn.next(a_.buffers)) {
      wait(&b_->done[turn.index], turn.parity);
      store_tile(tile, turn.index);
    }
  }

  __device__ void store_tile(uint32_t tile, uint32_t index) const {
    const Place place = place_of(tile);
    for (int slab = 0; slab < kSlabs; ++slab) {
      const uint32_t column = place.column_tile * kShape.columns + slab * kSlabColumns;
      if (column < a_.g.columns)
        store_box(maps_.result, buffer(index) + slab * kSlabBytes, static_cast<int>(column), static_cast<int>(place.origin.w),
                  static_cast<int>(place.origin.h), static_cast<int>(place.origin.n));
    }
    commit_stores();
    wait_for_stores_to_read();
    arrive(&b_->stored[index]);
  }

  // Activates results where they lie; its first thread stores them when all have done so.
  __device__ void finish_apart() const {
    if (a_.epilogue.activation == Activation::kSilu) finish_apart_by(silu);
    else finish_apart_by(short_gelu);
  }
  template <class Activate> __device__ void finish_apart_by(Activate activate) const {
    const uint32_t thread = threadIdx.x - (kCopyThread + 32);
    if (thread == 0) wait_for_inputs();
    Turn turn;
    for (uint32_t tile = blockIdx.x; tile < a_.tiles; tile += gridDim.x, turn.next(a_.buffers)) {
      wait(&b_->done[turn.index], turn.parity);
#pragma unroll 2
      for (uint32_t run = thread; run < kBufferBytes / kPieceBytes; run += kFinishThreads) {
        auto* at = reinterpret_cast<T*>(buffer(turn.index) + run * kPieceBytes);
        store_run(at, mapped(load_run<T, 8>(at, true, 8), activate), true, 8);
      }
      publish_to_copy_engine();
      arrive(&b_->finished[turn.index]);
      if (thread != 0) continue;
      wait(&b_->finished[turn.index], turn.parity);
      store_tile(tile, turn.index);
    }
  }

  __device__ void consume() const {
    if (!a_.epilogue.bias_is_constant) wait_for_inputs();
    Turn stage_turn, buffer_turn;
    for (uint32_t tile = blockIdx.x; tile < a_.tiles; tile += gridDim.x, buffer_turn.next(a_.buffers)) {
      const uint32_t column0 = place_of(tile).column_tile * kShape.columns;
      float sums[kSquares][kSums];
#pragma unroll
      for (int i = 0; i < kSquares; ++i) {
        begin_sums(sums[i], a_.epilogue.bias, column0, a_.g.columns);
        settle(sums[i]);
      }
      multiply_all(sums, stage_turn);
      // The buffer holds the residual, or nothing that is still wanted.
      if (a_.epilogue.residual) wait(&b_->residual[buffer_turn.index], buffer_turn.parity);
      else wait(&b_->stored[buffer_turn.index], buffer_turn.parity ^ 1);
      finish_all(sums, buffer(buffer_turn.index), a_.g.columns - column0);
      publish_to_copy_engine();
      arrive(&b_->done[buffer_turn.index]);
    }
  }

  __device__ void multiply_chunk(float (&sums)[kSquares][kSums], const Turn& turn) const {
    const uint32_t group = threadIdx.x / 128;
    wait(&b_->full[turn.index], turn.parity);
    const uint32_t left = shared_address(stage(turn.index)) + group * kSquares * 64 * kChunkBytes;
    const uint32_t right = shared_address(stage(turn.index)) + kSourceBytes;
    begin_products();
#pragma unroll
    for (int step = 0; step < 4; ++step)
#pragma unroll
      for (int i = 0; i < kSquares; ++i)
        GroupProduct<Math, kShape.columns>::add(sums[i], matrix_at(left + i * 64 * kChunkBytes + step * 32), matrix_at(right + step * 32));
    commit_products();
  }

  // There is one chunk at least.
  __device__ void multiply_all(float (&sums)[kSquares][kSums], Turn& turn) const {
    const bool speaks = threadIdx.x % 128 == 0;
    multiply_chunk(sums, turn);
    uint32_t before = turn.index;
    turn.next(a_.stages);
    for (uint32_t chunk = 1; chunk < a_.chunks; ++chunk) {
      multiply_chunk(sums, turn);
      wait_for_products<1>();
      // The products of the chunk before are done with their stage.
      if (speaks) arrive(&b_->empty[before]);
      before = turn.index;
      turn.next(a_.stages);
    }
    wait_for_products<0>();
#pragma unroll
    for (int i = 0; i < kSquares; ++i) settle(sums[i]);
    if (speaks) arrive(&b_->empty[before]);
  }

  // Two groups of warps finish all results of a multiprocessor, by instructions that run once a tile: what is asked for each tile is not
  // asked for each run of results, since fetching what is jumped over takes longer than what is done.
  __device__ void finish_all(const float (&sums)[kSquares][kSums], char* results, uint32_t columns) const {
    const EpilogueArguments& e = a_.epilogue;
    const auto plainly = [&](auto activate) { finish_by(sums, results, columns, [&](const Eight& v, const T*) { return activate(v); }); };
    const auto with_residual = [&](auto activate) {
      finish_by(sums, results, columns, [&](const Eight& v, const T* at) { return with_epilogue(e, v, load_run<T, 8>(at, true, 8), activate); });
    };
    const auto same = [](const Eight& v) { return v; };
    if constexpr (kApart) return plainly(same);
    const auto relu = [](const Eight& v) { return mapped(v, [](float x) { return x < 0 ? 0.0f : x; }); };
    const auto any = [&](const Eight& v) { return activated(e.activation, e.alpha, e.beta, v); };
    if (e.residual) {
      if (e.activation == Activation::kNone) with_residual(same);
      else if (e.activation == Activation::kRelu) with_residual(relu);
      else with_residual(any);
      return;
    }
    switch (e.activation) {
      case Activation::kNone: return plainly(same);
      case Activation::kRelu: return plainly(relu);
      case Activation::kSilu: return plainly([](const Eight& v) { return mapped(v, silu); });
      case Activation::kHardSwish: return plainly([](const Eight& v) { return mapped(v, hard_swish); });
      case Activation::kGeluErf: return plainly([](const Eight& v) { return mapped(v, short_gelu); });
      default: return plainly(any);
    }
  }

  // Results take the place of the residual in rows of 128 bytes, swizzled as the copy engine has them; of `columns` that there are. Half
  // a slab is an octet of each thread. Eight threads store two rows at once: the odd one's halves the other way round, into other banks.
  template <class Finish>
  __device__ void finish_by(const float (&sums)[kSquares][kSums], char* results, uint32_t columns, Finish finish) const {
    const uint32_t lane = threadIdx.x % 32, row0 = threadIdx.x / 128 * kSquares * 64 + threadIdx.x % 128 / 32 * 16 + lane / 4;
    const bool odd = lane / 4 % 2 != 0;
#pragma unroll
    for (int i = 0; i < kSquares; ++i)
#pragma unroll
      for (int slab = 0; slab < kSlabs; ++slab) {
        if (slab * kSlabColumns >= columns) break;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          Word* at[2];
          Word words[2];
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            char* run = results + slab * kSlabBytes + swizzled(row0 + i * 64 + half * 8, j * 4 + lane % 4);
            at[j] = reinterpret_cast<Word*>(run);
            words[j] = word_of(finish(octet_of(sums[i], slab * 2 + j, half), reinterpret_cast<T*>(run)));
          }
          *(odd ? at[1] : at[0]) = chosen(odd, words[1], words[0]);
          *(odd ? at[0] : at[1]) = chosen(odd, words[0], words[1]);
        }
      }
  }

  using Word = uint4;  // a run of eight results
  static __device__ Word word_of(const Eight& v) {
    Pack<T, 8> pack;
#pragma unroll
    for (int i = 0; i < 8; ++i) pack.at[i] = from_float<T>(v.at[i]);
    return reinterpret_cast<const Word&>(pack);
  }
  static __device__ Word chosen(bool first, const Word& a, const Word& b) {
    return {first ? a.x : b.x, first ? a.y : b.y, first ? a.z : b.z, first ? a.w : b.w};
  }

  const Maps& maps_;
  const ConvStreamArguments& a_;
  char *stages_, *buffers_;
  Barriers* b_;
};

template <class Math, int kTile, bool kApart>
__device__ void conv_stream(const CUtensorMap& source, const CUtensorMap& residual, const CUtensorMap& result, const ConvStreamArguments& a) {
  extern __shared__ char unaligned[];
  char* shared = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  const typename StreamBlock<Math, kTile, kApart>::Maps maps{source, residual, result};
  StreamBlock<Math, kTile, kApart>(maps, a, shared).run();
}

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_STREAM_KERNEL(name, math, tile, apart)                                                                          \
  extern "C" __global__ void __launch_bounds__(kStreamThreads, 1)                                                            \
      name##_##tile(const __grid_constant__ CUtensorMap source, const __grid_constant__ CUtensorMap residual,                \
                    const __grid_constant__ CUtensorMap result, const __grid_constant__ ConvStreamArguments a) {             \
    conv_stream<math, tile, apart>(source, residual, result, a);                                                             \
  }
#define KILN_STREAM_TILE(name, math, tile) KILN_STREAM_KERNEL(conv_stream_##name, math, tile, false)
#define KILN_STREAM_APART(name, math, tile) KILN_STREAM_KERNEL(conv_stream_apart_##name, math, tile, true)
#define KILN_STREAM(name, math)    \
  KILN_STREAM_TILE(name, math, 0)  \
  KILN_STREAM_TILE(name, math, 1)  \
  KILN_STREAM_TILE(name, math, 2)  \
  KILN_STREAM_TILE(name, math, 3)  \
  KILN_STREAM_TILE(name, math, 4)  \
  KILN_STREAM_APART(name, math, 3) \
  KILN_STREAM_APART(name, math, 4)
KILN_STREAM(f16, MathF16)
KILN_STREAM(bf16, MathBF16)
#endif

}  // namespace kiln::cuda
