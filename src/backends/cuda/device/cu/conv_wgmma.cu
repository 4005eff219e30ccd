// Convolutions and products for compute capability 9.0: the copy engine brings boxes of pixels and packed weights, groups of four
// warps multiply them; the terms may be split over the blocks of a cluster. Weights are fetched before the inputs are there.
#include "backends/cuda/device/cu/conv_block.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// Each chunk of terms brings its pixels and its weights.
template <class Math, int kTile> class ChunkFeed {
 public:
  using Arguments = ConvWgmmaArguments;
  static constexpr GroupTile kShape = kGroupTiles[kTile];
  static constexpr int kSums = kShape.columns / 2;  // of a thread
  static constexpr int kBarriers = 2 * kMaxStages;

  __device__ ChunkFeed(const CUtensorMap& map, const Arguments& arguments, const ConvWork& work, char* shared)
      : map_(map), a_(arguments), work_(work), stages_(shared) {}

  __device__ void place_barriers(uint64_t* barriers, bool leads) {
    full_ = barriers;
    empty_ = barriers + kMaxStages;
    if (!leads) return;
    for (uint32_t i = 0; i < a_.stages; ++i) {
      init_barrier(&full_[i], 1);
      init_barrier(&empty_[i], kShape.groups);
    }
  }

  // By one thread, which keeps the copy engine busy.
  __device__ void fetch() const {
    const uint32_t first = min(a_.stages, work_.end - work_.begin);
    if (!a_.weights_are_constant) wait_for_inputs();
    for (uint32_t i = 0; i < first; ++i) fetch_weights(work_.begin + i, i);
    wait_for_inputs();
    for (uint32_t i = 0; i < first; ++i) fetch_source(work_.begin + i, i);
    uint32_t index = 0, parity = 0;
    for (uint32_t chunk = work_.begin + first; chunk < work_.end; ++chunk) {
      wait(&empty_[index], parity);
      fetch_weights(chunk, index);
      fetch_source(chunk, index);
      if (++index == a_.stages) index = 0, parity ^= 1;
    }
  }

  // There is one chunk at least.
  __device__ void multiply(float (&sums)[kSums]) const {
    settle(sums);
    multiply_chunk(sums, 0, 0);
    uint32_t before = 0, index = 1, parity = 0;
    for (uint32_t chunk = work_.begin + 1; chunk < work_.end; ++chunk) {
      if (index == a_.stages) index = 0, parity ^= 1;
      multiply_chunk(sums, index, parity);
      wait_for_products<1>();
      // The products of the chunk before are done with their stage.
      if (threadIdx.x % 128 == 0) arrive(&empty_[before]);
      before = index++;
    }
    wait_for_products<0>();
    settle(sums);
  }

  // Shared memory that it does not use.
  __device__ char* behind() const { return stage(a_.stages); }

 private:
  static constexpr int kSourceBytes = kShape.rows() * kChunkBytes, kWeightBytes = kShape.columns * kChunkBytes;
  static constexpr int kStageBytes = kShape.stage();

  __device__ char* stage(uint32_t index) const { return stages_ + index * kStageBytes; }

  __device__ void fetch_weights(uint32_t chunk, uint32_t index) const {
    cuda::fetch_weights<kWeightBytes>(a_, work_.column_tile, chunk, stage(index) + kSourceBytes, &full_[index]);
  }
  __device__ void fetch_source(uint32_t chunk, uint32_t index) const {
    cuda::fetch_source<Math>(a_, map_, work_.origin, chunk, stage(index), &full_[index]);
  }

  __device__ void multiply_chunk(float (&sums)[kSums], uint32_t index, uint32_t parity) const {
    const uint32_t group = threadIdx.x / 128;
    wait(&full_[index], parity);
    const uint32_t left = shared_address(stage(index)) + group * 64 * kChunkBytes;
    const uint32_t right = shared_address(stage(index)) + kSourceBytes;
    begin_products();
#pragma unroll
    for (int step = 0; step < 4; ++step)
      GroupProduct<Math, kShape.columns>::add(sums, matrix_at(left + step * 32), matrix_at(right + step * 32));
    commit_products();
  }

  const CUtensorMap& map_;
  const Arguments& a_;
  const ConvWork work_;
  char* stages_;
  uint64_t *full_ = nullptr, *empty_ = nullptr;
};

template <class Math, int kTile> __device__ void conv_wgmma(const CUtensorMap& map, const ConvWgmmaArguments& a) {
  extern __shared__ char unaligned[];
  char* shared = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  ConvBlock<Math, kTile, ChunkFeed<Math, kTile>>(map, a, shared).run();
}

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_CONV_TILE(name, math, tile)                                                                                     \
  extern "C" __global__ void __launch_bounds__(kGroupTiles[tile].threads())                                                 \
      conv_wgmma_##name##_##tile(const __grid_constant__ CUtensorMap map, const __grid_constant__ ConvWgmmaArguments a) {   \
    conv_wgmma<math, tile>(map, a);                                                                                         \
  }
#define KILN_CONV(name, math)    \
  KILN_CONV_TILE(name, math, 0)  \
  KILN_CONV_TILE(name, math, 1)  \
  KILN_CONV_TILE(name, math, 2)  \
  KILN_CONV_TILE(name, math, 3)  \
  KILN_CONV_TILE(name, math, 4)  \
  KILN_CONV_TILE(name, math, 5)  \
  KILN_CONV_TILE(name, math, 6)  \
  KILN_CONV_TILE(name, math, 7)
KILN_CONV(f16, MathF16)
KILN_CONV(bf16, MathBF16)
KILN_CONV(f32, MathTF32)
#endif

}  // namespace kiln::cuda
