// Convolutions whose window has several taps, for compute capability 9.0: a box holds all pixels under the windows of a tile, and each tap
// multiplies its part of the box where it lies. Pixels come once, not once a tap; weights are fetched before the inputs are there.
#include "backends/cuda/device/cu/conv_block.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// The terms of a chunk of channels are multiplied tap by tap.
template <class Math, int kTile> class WindowFeed {
 public:
  using Arguments = ConvWindowArguments;
  static constexpr GroupTile kShape = kGroupTiles[kTile];
  static constexpr int kSums = kShape.columns / 2;  // of a thread
  static constexpr int kBarriers = 2 * (kMaxStages + kMaxBoxes);

  __device__ WindowFeed(const CUtensorMap& map, const Arguments& arguments, const ConvWork& work, char* shared)
      : map_(map), a_(arguments), work_(work), boxes_(shared), weights_(shared + arguments.boxes * arguments.box_stride) {
    taps_ = a_.g.taps_h * a_.g.taps_w;
    steps_ = (work_.end - work_.begin) * taps_;
  }

  __device__ void place_barriers(uint64_t* barriers, bool leads) {
    full_weights_ = barriers;
    empty_weights_ = full_weights_ + kMaxStages;
    full_box_ = empty_weights_ + kMaxStages;
    empty_box_ = full_box_ + kMaxBoxes;
    if (!leads) return;
    for (uint32_t i = 0; i < a_.stages; ++i) init(full_weights_ + i, empty_weights_ + i);
    for (uint32_t i = 0; i < a_.boxes; ++i) init(full_box_ + i, empty_box_ + i);
  }

  // By one thread, which keeps the copy engine busy.
  __device__ void fetch() const {
    const uint32_t first = min(a_.stages, steps_), first_boxes = min(a_.boxes, work_.end - work_.begin);
    if (!a_.weights_are_constant) wait_for_inputs();
    uint32_t chunk = work_.begin, tap = 0;
    const auto next = [&] {
      if (++tap == taps_) tap = 0, ++chunk;
    };
    for (uint32_t i = 0; i < first; ++i, next()) fetch_weights(chunk, tap, i);
    wait_for_inputs();
    for (uint32_t i = 0; i < first_boxes; ++i) fetch_box(work_.begin + i, i);
    uint32_t chunk_of_box = work_.begin + first_boxes;
    Turn weights, box;
    for (uint32_t step = first; step < steps_; ++step, next()) {
      if (chunk >= chunk_of_box) {
        wait(empty_box_ + box.index, box.parity);
        fetch_box(chunk_of_box++, box.index);
        box.next(a_.boxes);
      }
      wait(empty_weights_ + weights.index, weights.parity);
      fetch_weights(chunk, tap, weights.index);
      weights.next(a_.stages);
    }
    // The last taps of a chunk may all have been under way.
    for (; chunk_of_box < work_.end; ++chunk_of_box) {
      wait(empty_box_ + box.index, box.parity);
      fetch_box(chunk_of_box, box.index);
      box.next(a_.boxes);
    }
  }

  // There is one step at least.
  __device__ void multiply(float (&sums)[kSums]) const {
    const uint32_t group = threadIdx.x / 128, plane = group / a_.groups_down;
    const uint32_t own = plane * a_.plane_bytes + (group - plane * a_.groups_down) * 8 * a_.pitch_bytes;
    const uint32_t right_step = a_.g.dilation_w * kChunkBytes, down_step = a_.g.dilation_h * a_.pitch_bytes;
    Turn weights, box;
    uint32_t column = 0, row = 0, left_of_row = own, left_of_tap = own, weights_before = 0, box_before = 0;
    settle(sums);
    uint32_t step = 0;
    do {
      wait(full_box_ + box.index, box.parity);
      wait(full_weights_ + weights.index, weights.parity);
      const uint32_t left = shared_address(boxes_) + box.index * a_.box_stride + left_of_tap;
      const uint32_t right = shared_address(weights_) + weights.index * kWeightBytes;
      begin_products();
#pragma unroll
      for (int part = 0; part < 4; ++part)
        GroupProduct<Math, kShape.columns>::add(sums, window_at(left + part * 32, a_.pitch_bytes), matrix_at(right + part * 32));
      commit_products();
      wait_for_products<1>();
      // The products of the step before are done with what they read.
      if (threadIdx.x % 128 == 0 && step > 0) {
        arrive(empty_weights_ + weights_before);
        if (column == 0 && row == 0) arrive(empty_box_ + box_before);
      }
      weights_before = weights.index;
      weights.next(a_.stages);
      left_of_tap += right_step;
      if (++column == a_.g.taps_w) {
        column = 0;
        left_of_tap = left_of_row += down_step;
        if (++row == a_.g.taps_h) {
          row = 0;
          left_of_tap = left_of_row = own;
          box_before = box.index;
          box.next(a_.boxes);
        }
      }
    } while (++step < steps_);
    wait_for_products<0>();
    settle(sums);
  }

  // Shared memory that it does not use.
  __device__ char* behind() const { return weights_ + a_.stages * kWeightBytes; }

 private:
  static constexpr int kWeightBytes = kShape.columns * kChunkBytes;

  static __device__ void init(uint64_t* full, uint64_t* empty) {
    init_barrier(full, 1);
    init_barrier(empty, kShape.groups);
  }

  __device__ void fetch_weights(uint32_t chunk, uint32_t tap, uint32_t index) const {
    const int64_t at = int64_t{work_.column_tile} * a_.chunks * taps_ + tap * a_.chunks + chunk;
    arrive_expecting(full_weights_ + index, kWeightBytes);
    copy_bulk(weights_ + index * kWeightBytes, static_cast<const char*>(a_.weights) + at * kWeightBytes, kWeightBytes,
              full_weights_ + index);
  }
  __device__ void fetch_box(uint32_t chunk, uint32_t index) const {
    arrive_expecting(full_box_ + index, a_.box_bytes);
    copy_box(boxes_ + index * a_.box_stride, map_, static_cast<int>(chunk * kChunkElements<Math>),
             static_cast<int>(work_.origin.w) - a_.g.left, static_cast<int>(work_.origin.h) - a_.g.top,
             static_cast<int>(work_.origin.n), full_box_ + index);
  }

  const CUtensorMap& map_;
  const Arguments& a_;
  const ConvWork work_;
  char *boxes_, *weights_;
  uint32_t taps_, steps_;
  uint64_t *full_weights_ = nullptr, *empty_weights_ = nullptr, *full_box_ = nullptr, *empty_box_ = nullptr;
};

template <class Math, int kTile> __device__ void conv_window(const CUtensorMap& map, const ConvWindowArguments& a) {
  extern __shared__ char unaligned[];
  char* shared = unaligned + (1024 - shared_address(unaligned) % 1024) % 1024;
  ConvBlock<Math, kTile, WindowFeed<Math, kTile>>(map, a, shared).run();
}

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_WINDOW_TILE(name, math, tile)                                                                                   \
  extern "C" __global__ void __launch_bounds__(kGroupTiles[tile].threads())                                                 \
      conv_window_##name##_##tile(const __grid_constant__ CUtensorMap map, const __grid_constant__ ConvWindowArguments a) { \
    conv_window<math, tile>(map, a);                                                                                        \
  }
#define KILN_WINDOW(name, math)    \
  KILN_WINDOW_TILE(name, math, 0)  \
  KILN_WINDOW_TILE(name, math, 1)  \
  KILN_WINDOW_TILE(name, math, 2)  \
  KILN_WINDOW_TILE(name, math, 3)  \
  KILN_WINDOW_TILE(name, math, 4)  \
  KILN_WINDOW_TILE(name, math, 5)  \
  KILN_WINDOW_TILE(name, math, 6)  \
  KILN_WINDOW_TILE(name, math, 7)
KILN_WINDOW(f16, MathF16)
KILN_WINDOW(bf16, MathBF16)
KILN_WINDOW(f32, MathTF32)
#endif

}  // namespace kiln::cuda
