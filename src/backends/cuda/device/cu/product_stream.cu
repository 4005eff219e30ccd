// Products of very many rows for compute capability 9.0. The two blocks of a cluster go from tile to tile: in each a thread fetches the
// block's rows, and half of the weights for both blocks; two groups of four warps multiply 64 rows each and store them through shared
// memory by the copy engine. The first group may be ahead by some chunks, so that one multiplies while the other finishes results.
#include "backends/cuda/device/cu/product_stream.h"
#include "backends/cuda/device/cu/conv_boxes.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

template <class Math> class PairBlock {
 public:
  struct Maps {
    const CUtensorMap &source, &result;
  };
  __device__ PairBlock(const Maps& maps, const ProductStreamArguments& arguments, char* shared)
      : maps_(maps), a_(arguments), stages_(shared), slabs_(shared + kPairStages * kStageBytes + group() * kPairSlabs * kPairSlab) {}

  __device__ void run() {
    __shared__ __align__(8) Barriers barriers;
    b_ = &barriers;
    let_next_start();
    if (threadIdx.x == 0) {
      fetch_map(maps_.source);
      fetch_map(maps_.result);
      for (int i = 0; i < kPairStages; ++i) {
        init_barrier(&b_->full[i], 1);
        init_barrier(&b_->empty[i], kPairBlocks * kGroups);
      }
      init_barrier(&b_->ahead, 1);
      publish_barriers();
    }
    meet();
    if (threadIdx.x < kGroups * 128) {
      take_registers<224>();
      consume();
    } else {
      keep_registers<56>();
      if (threadIdx.x == kGroups * 128) produce();
    }
    meet();  // the other block may still write here
  }

 private:
  using T = typename Math::Element;
  struct Barriers {
    uint64_t full[kPairStages], empty[kPairStages];
    uint64_t ahead;  // the first group has its lead
  };
  struct Place {
    uint32_t row0, column0;
  };
  static constexpr int kGroups = kPairTile.groups, kRows = kPairTile.rows(), kSums = kPairTile.columns / 2;
  static constexpr int kSourceBytes = kRows * kChunkBytes, kWeightBytes = kPairTile.columns * kChunkBytes;
  static constexpr int kStageBytes = kPairTile.stage(), kHalfBytes = kWeightBytes / kPairBlocks;
  static constexpr int kSlabColumns = kChunkBytes / sizeof(T), kSlabOctets = kSlabColumns / 32, kRuns = kSlabOctets * 2;

  __device__ static void meet() {
    __syncwarp();
    arrive_at_cluster();
    wait_for_cluster();
  }
  __device__ static uint32_t group() { return threadIdx.x / 128; }
  __device__ static uint32_t rank() { return blockIdx.x % kPairBlocks; }
  __device__ char* stage(uint32_t index) const { return stages_ + index * kStageBytes; }
  __device__ static uint32_t first_tile() { return blockIdx.x / kPairBlocks; }
  __device__ static uint32_t next_tile(uint32_t tile) { return tile + gridDim.x / kPairBlocks; }

  // Clusters that run at the same time share rows.
  __device__ Place place_of(uint32_t tile) const {
    const uint32_t pair = a_.column_tiles.quotient(tile), column_tile = tile - pair * a_.column_tiles.divisor;
    return {(pair * kPairBlocks + rank()) * kRows, column_tile * kPairTile.columns};
  }

  __device__ void produce() const {
    Turn turn;
    uint32_t fetched = 0;  // weights of the first tile
    if (a_.weights_are_constant && first_tile() < a_.tiles)
      for (; fetched < min(uint32_t{kPairStages}, a_.chunks); ++fetched) fetch_weights(place_of(first_tile()), fetched, fetched);
    wait_for_inputs();
    for (uint32_t tile = first_tile(); tile < a_.tiles; tile = next_tile(tile)) {
      const Place place = place_of(tile);
#pragma unroll 1
      for (uint32_t chunk = 0; chunk < a_.chunks; ++chunk, turn.next(kPairStages)) {
        if (tile != first_tile() || chunk >= fetched) {
          wait(&b_->empty[turn.index], turn.parity ^ 1);
          fetch_weights(place, chunk, turn.index);
        }
        copy_box(stage(turn.index), maps_.source, static_cast<int>(chunk * kChunkElements<Math>), static_cast<int>(place.row0), 0, 0,
                 &b_->full[turn.index]);
      }
    }
  }

  // This block's half, for both. The stage is empty in both.
  __device__ void fetch_weights(const Place& place, uint32_t chunk, uint32_t index) const {
    constexpr uint16_t kBoth = 3;
    const int64_t part = int64_t{place.column0 / kPairTile.columns} * a_.chunks + chunk;
    const uint32_t half = rank() * kHalfBytes;
    arrive_expecting(&b_->full[index], kSourceBytes + kWeightBytes);
    copy_bulk_to(kBoth, stage(index) + kSourceBytes + half, static_cast<const char*>(a_.weights) + part * kWeightBytes + half, kHalfBytes,
                 &b_->full[index]);
  }

  __device__ void consume() const {
    wait_for_inputs();
    if (group() == 1 && a_.lead > 0 && first_tile() < a_.tiles) wait(&b_->ahead, 0);
    Turn turn;
    for (uint32_t tile = first_tile(); tile < a_.tiles; tile = next_tile(tile)) {
      const Place place = place_of(tile);
      float sums[kSums];
      begin_sums(sums, a_.epilogue.bias, place.column0, a_.columns);
      settle(sums);
      multiply_all(sums, turn, tile == first_tile() && group() == 0 ? min(a_.lead, a_.chunks) : 0);
      finish_all(sums, place);
    }
    if (threadIdx.x % 128 == 0) wait_for_stores_to_read();
  }

  __device__ void multiply_chunk(float (&sums)[kSums], const Turn& turn) const {
    wait(&b_->full[turn.index], turn.parity);
    const uint32_t left = shared_address(stage(turn.index)), right = left + kSourceBytes;
    begin_products();
#pragma unroll
    for (int step = 0; step < 4; ++step)
      GroupProduct<Math, kPairTile.columns>::add(sums, matrix_at(left + group() * 64 * kChunkBytes + step * 32), matrix_at(right + step * 32));
    commit_products();
  }

  __device__ void release(uint32_t index) const {
    const uint32_t barrier = shared_address(&b_->empty[index]);
    for (int block = 0; block < kPairBlocks; ++block) arrive_there(in_block(barrier, block));
  }

  // There is one chunk at least. After `lead` chunks, if any, the other group may begin.
  __device__ void multiply_all(float (&sums)[kSums], Turn& turn, uint32_t lead) const {
    const bool speaks = threadIdx.x % 128 == 0;
    multiply_chunk(sums, turn);
    uint32_t before = turn.index;
    turn.next(kPairStages);
    for (uint32_t chunk = 1; chunk < a_.chunks; ++chunk) {
      multiply_chunk(sums, turn);
      wait_for_products<1>();
      // The products of the chunk before are done with their stage.
      if (speaks) release(before);
      if (speaks && chunk == lead) arrive(&b_->ahead);
      before = turn.index;
      turn.next(kPairStages);
    }
    wait_for_products<0>();
    settle(sums);
    if (speaks) release(before);
    if (speaks && a_.chunks == lead) arrive(&b_->ahead);
  }

  // A run of eight results of this thread: its row and column.
  __device__ static uint32_t row_of(const Place& place, int run) {
    return place.row0 + group() * 64 + threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4 + run % 2 * 8;
  }
  __device__ static uint32_t column_of(const Place& place, int slab, int run) {
    return place.column0 + column_of_octet(slab * kSlabOctets + run / 2);
  }

  __device__ void fetch_residual(Pack<T, 8> (&to)[kRuns], const Place& place, int slab) const {
    const T* residual = static_cast<const T*>(a_.epilogue.residual);
#pragma unroll
    for (int run = 0; run < kRuns; ++run) {
      const uint32_t row = row_of(place, run), column = column_of(place, slab, run);
      const bool is_there = residual && row < a_.rows && column < a_.columns;
      to[run] = load_if<T, 8>(is_there ? residual + row * a_.epilogue.residual_stride + column : residual, is_there);
    }
  }

  // Results leave by 64 columns.
  __device__ void finish_all(const float (&sums)[kSums], const Place& place) const {
    const bool speaks = threadIdx.x % 128 == 0;
    const uint32_t row0 = place.row0 + group() * 64;
    Pack<T, 8> next[kRuns];
    fetch_residual(next, place, 0);
#pragma unroll
    for (int slab = 0; slab < kPairTile.columns / kSlabColumns; ++slab) {
      char* to = slabs_ + slab % kPairSlabs * kPairSlab;
      if (speaks) wait_for_stores_to_read<kPairSlabs - 1>();
      join_group();
      Eight add[kRuns];
#pragma unroll
      for (int run = 0; run < kRuns; ++run) add[run] = run_of(next[run]);
      if (slab + 1 < kPairTile.columns / kSlabColumns) fetch_residual(next, place, slab + 1);
#pragma unroll
      for (int run = 0; run < kRuns; ++run) {
        const uint32_t row = row_of(place, run) - row0, piece = column_of_octet(run / 2) / 8;
        store_run(reinterpret_cast<T*>(to + swizzled(row, piece)), finished(octet_of(sums, slab * kSlabOctets + run / 2, run % 2), add[run]),
                  true, 8);
      }
      publish_to_copy_engine();
      join_group();
      const uint32_t column = place.column0 + slab * kSlabColumns;
      if (speaks && row0 < a_.rows && column < a_.columns) store_box(maps_.result, to, static_cast<int>(column), static_cast<int>(row0), 0, 0);
      if (speaks) commit_stores();
    }
  }

  // What transformers do most is done without a call.
  __device__ Eight finished(const Eight& v, const Eight& add) const {
    if (a_.epilogue.activation == Activation::kGeluErf && !a_.epilogue.residual) return mapped(v, [](float x) { return gelu(x); });
    return with_epilogue(a_.epilogue, v, add);
  }

  const Maps& maps_;
  const ProductStreamArguments& a_;
  char *const stages_, *const slabs_;
  Barriers* b_;
};

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_PRODUCT_STREAM(name, math)                                                                                          \
  extern "C" __global__ void __launch_bounds__(kPairThreads, 1) product_stream_##name(                                          \
      const __grid_constant__ CUtensorMap source, const __grid_constant__ CUtensorMap result,                                   \
      const __grid_constant__ ProductStreamArguments a) {                                                                       \
    extern __shared__ char unaligned[];                                                                                         \
    char* shared = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;                                                \
    const PairBlock<math>::Maps maps{source, result};                                                                           \
    PairBlock<math>(maps, a, shared).run();                                                                                     \
  }
KILN_PRODUCT_STREAM(f16, MathF16)
KILN_PRODUCT_STREAM(bf16, MathBF16)
#endif

}  // namespace kiln::cuda
